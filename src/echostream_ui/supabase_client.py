"""The Supabase project of the settings, if there is one.

The code that uses it is in `library/supabase`. It is imported only if there is a project, because
Supabase's packages take a second to load.
"""

from typing import TYPE_CHECKING

from echostream_ui.settings import FrontendSettings

if TYPE_CHECKING:
    from echostream_ui.library.supabase.accounts import Accounts


def accounts_of(settings: FrontendSettings) -> "Accounts | None":
    """Returns the project's accounts, each with its own library, or None without a project. Raises
    StoreError if the key cannot be used."""
    if settings.supabase_url is None or settings.supabase_anon_key is None:
        return None
    from echostream_ui.library.supabase.accounts import Accounts

    return Accounts(settings.supabase_url, settings.supabase_anon_key.get_secret_value())
