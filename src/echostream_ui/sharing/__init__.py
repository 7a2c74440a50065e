"""Recordings that others read by a link: a small page of plain HTML, without Streamlit."""
