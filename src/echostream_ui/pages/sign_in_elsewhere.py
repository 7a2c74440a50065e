"""Signing in with an OpenID Connect provider."""

import streamlit as st

from echostream_ui.words.wording import plain


def main() -> None:
    _, middle, _ = st.columns([1, 2, 1])
    with middle:
        st.title("EchoStream", anchor=False)
        if not st.user.is_logged_in:
            st.button("Sign in", type="primary", icon=":material/login:", on_click=st.login)
            return
        email = plain(str(st.user.get("email") or "This account"))
        st.error(f"{email} may not see this library. Whoever runs it can allow that.")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)


main()
