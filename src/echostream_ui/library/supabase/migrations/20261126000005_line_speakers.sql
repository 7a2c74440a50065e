-- To whom the user gave lines: ids of speakers by ids of segments.

alter table public.analysis add column if not exists line_speakers json not null default '{}'
  check (json_typeof(line_speakers) = 'object');

notify pgrst, 'reload schema';
