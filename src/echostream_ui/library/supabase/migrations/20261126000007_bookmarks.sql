-- The places that a user marked: a list of `{"at_s", "note"}`.

alter table public.analysis add column if not exists
  bookmarks json not null default '[]' check (json_typeof(bookmarks) = 'array');

notify pgrst, 'reload schema';
