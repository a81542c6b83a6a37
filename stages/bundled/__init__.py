"""What made the bundled data and backbones. Nobody else imports it."""
