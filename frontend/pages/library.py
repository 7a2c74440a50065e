"""library page."""

import streamlit as st

st.title("library")
