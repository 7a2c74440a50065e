"""Scripts that Streamlit runs, with `frame` around each page, and the code they share."""
