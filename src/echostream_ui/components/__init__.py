"""Our own Streamlit components, for what Streamlit has no element for."""
