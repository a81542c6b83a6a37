"""Sentences by a language model: commands, requests, the record of answers, the client."""
