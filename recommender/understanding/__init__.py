"""Language read without Django: words of a text, in English, Chinese and their mixtures."""
