"""Parts of the pages that find recordings: the library and its bin."""
