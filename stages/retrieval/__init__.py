"""Objects ranked by what is asked for: pooling over views, the floor below which nothing matches, figures of both."""
