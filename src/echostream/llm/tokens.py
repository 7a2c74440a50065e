"""How many tokens a text may take, without the model's own tokenizer: bounds from both sides."""


def most_tokens(text: str) -> int:
    """More tokens than usual tokenizers make of `text`: a token is rarely under three bytes."""
    return len(text.encode("utf-8", "replace")) // 3 + 1


def fewest_tokens(text: str) -> int:
    """Fewer tokens than usual tokenizers make of `text`.

    English has about 4.3 characters per token, other scripts about three at best.
    """
    ascii_chars = sum(char.isascii() for char in text)
    return ascii_chars // 7 + (len(text) - ascii_chars) // 4
