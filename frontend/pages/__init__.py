"""Scripts that Streamlit runs: `frame` around each of the pages."""
