"""Sentences for classes and parts: `prompts` fills templates, `llm` asks a language model."""
