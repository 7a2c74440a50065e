"""Scripts that Streamlit runs: `frame` around each of the pages. Beside them is what they share."""
