"""add page."""

import streamlit as st

st.title("add")
