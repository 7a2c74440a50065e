"""The Supabase project that the settings name, if they name one.

What talks to it lies in `library/supabase`, which is imported only where there is a project:
Supabase's packages take a second to load.
"""

from typing import TYPE_CHECKING

from echostream_ui.settings import FrontendSettings

if TYPE_CHECKING:
    from echostream_ui.library.supabase.accounts import Accounts


def accounts_of(settings: FrontendSettings) -> "Accounts | None":
    """The project's accounts, each with a library of its own; None without a project. Raises
    StoreError if the key cannot be used."""
    if settings.supabase_url is None or settings.supabase_anon_key is None:
        return None
    from echostream_ui.library.supabase.accounts import Accounts

    return Accounts(settings.supabase_url, settings.supabase_anon_key.get_secret_value())
