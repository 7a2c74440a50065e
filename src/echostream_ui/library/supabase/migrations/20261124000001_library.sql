-- The library: `media`, what is known about a recording, and `analysis`, what came of it.
-- The fields are those of the records in library/store.py.
--
-- All migrations may be run again, which puts right what somebody changed and keeps the data.

-- Words as they are searched: without case, and letters from A to Z without their accents.
-- Everything that is neither letter nor digit only parts words. (PostgreSQL's own parser would keep
-- file names and addresses whole, so that their parts could not be found.)
create or replace function public.library_words(said text) returns text
language sql immutable parallel safe set search_path = ''
return trim(regexp_replace(
  normalize(regexp_replace(normalize(lower(said), nfd), '([a-z])[\u0300-\u036f]+', '\1', 'g'), nfc),
  '[^[:alnum:]]+', ' ', 'g'
));

-- What is searched: words with their places and weights. It is put together here because
-- PostgreSQL's parser would part some words once more, such as 3e5x.
create or replace function public.library_lexemes(words text, weight text) returns tsvector
language sql immutable parallel safe set search_path = ''
return (
  select coalesce(string_agg(word || ':' || place || weight, ' '), '')::tsvector
  from unnest(string_to_array(words, ' ')) with ordinality as each (word, place)
  where octet_length(word) between 1 and 2000 -- longer ones cannot be indexed
);

-- A tsvector has room for one megabyte, which takes more than a day of speech; of what is longer,
-- the beginning can be found.
create or replace function public.library_document(title text, transcript text) returns tsvector
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  heading tsvector := public.library_lexemes(public.library_words(left(title, 10000)), 'A');
begin
  return heading || public.library_lexemes(public.library_words(transcript), 'B');
exception when program_limit_exceeded then
  return heading || public.library_lexemes(public.library_words(left(transcript, 150000)), 'B');
end $$;

-- The strings of a JSON list; nothing of anything else.
create or replace function public.library_strings(list json) returns text[]
language sql immutable parallel safe set search_path = ''
return array(
  select found #>> '{}' from json_array_elements(
    case json_typeof(list) when 'array' then list else '[]' end
  ) with ordinality as each (found, place)
  where json_typeof(found) = 'string' order by place
);

-- Ids are the user's own: nobody learns of another's by trying to use them.
create table if not exists public.media (
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  id text not null check (id ~ '^[A-Za-z0-9_-]{1,100}$'), -- it names the audio's object too
  title text not null,
  created_at timestamptz not null,
  source text not null check (source in ('file', 'url', 'microphone', 'live')),
  source_name text not null,
  size_bytes bigint check (size_bytes >= 0),
  duration_s double precision check (duration_s >= 0),
  language text,
  tags text[] not null default '{}',
  state text not null default 'waiting'
    check (state in ('waiting', 'active', 'completed', 'failed', 'cancelled')),
  job_id text,
  error text,
  message text,
  audio_name text, -- the object's name in the user's folder of the bucket `audio`
  transcript text not null default '', -- with the user's edits; kept by a trigger on `analysis`
  document tsvector generated always as (public.library_document(title, transcript)) stored,
  primary key (user_id, id)
);

-- An analysis belongs to a recording of the same user: the foreign key has both columns.
-- What is derived from the insights is generated, so that it can never be out of step with them.
create table if not exists public.analysis (
  user_id uuid not null default auth.uid(),
  media_id text not null,
  -- json and not jsonb: what was given is kept just as it came
  request json not null,
  response json check (json_typeof(response) = 'object'),
  insights json check (json_typeof(insights) = 'object'),
  edits json not null default '{}' check (json_typeof(edits) = 'object'),
  speakers json not null default '{}' check (json_typeof(speakers) = 'object'),
  action_items jsonb not null default '[]' check (jsonb_typeof(action_items) = 'array'),
  topics text[] not null generated always as (public.library_strings(insights -> 'topics')) stored,
  sentiment text generated always as (case
    when insights #>> '{sentiment,label}' in ('positive', 'neutral', 'negative')
    then insights #>> '{sentiment,label}'
  end) stored,
  sentiment_score double precision generated always as (case
    when json_typeof(insights #> '{sentiment,score}') = 'number'
    then (insights #>> '{sentiment,score}')::double precision
  end) stored,
  primary key (user_id, media_id),
  foreign key (user_id, media_id) references public.media (user_id, id) on delete cascade
);

create index if not exists media_by_date on public.media (user_id, created_at);
create index if not exists media_by_title on public.media (user_id, lower(title collate "C"));
create index if not exists media_by_duration on public.media (user_id, duration_s);
create index if not exists media_by_state on public.media (user_id, state);
-- Users' own queries go by the indexes above and look at what is left: under row level security
-- PostgreSQL tries no @@ and && on other people's rows, and so uses no index for them. These are for
-- whoever owns the project.
create index if not exists media_by_document on public.media using gin (document);
create index if not exists media_by_tag on public.media using gin (tags);
create index if not exists analysis_by_topic on public.analysis using gin (topics);

-- The text of an answer as the user edited it, one line a segment.
create or replace function public.library_transcript(response json, edits json) returns text
language sql immutable parallel safe set search_path = ''
return (
  select coalesce(string_agg(line, e'\n' order by place), '')
  from json_array_elements(
    case json_typeof(response -> 'segments') when 'array' then response -> 'segments' else '[]' end
  ) with ordinality as each (segment, place),
  lateral (
    select regexp_replace(
      coalesce(edits ->> (segment ->> 'id'), segment ->> 'text'), '^\s+|\s+$', '', 'g') as line
  ) as text
  where line <> ''
);

create or replace function public.library_keep_transcript() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  update public.media set transcript = public.library_transcript(new.response, new.edits)
  where user_id = new.user_id and id = new.media_id;
  return null;
end $$;

create or replace trigger keep_transcript after insert or update of response, edits on public.analysis
for each row execute function public.library_keep_transcript();

-- Signed-in users get what the frontend does, and nobody else gets anything: projects differ in
-- what they grant by default.
revoke all on public.media, public.analysis from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.media, public.analysis to authenticated;

revoke all on function
  public.library_words(text), public.library_lexemes(text, text),
  public.library_document(text, text), public.library_strings(json),
  public.library_transcript(json, json),
  public.library_keep_transcript()
from public, anon, authenticated, service_role;
grant execute on function
  public.library_words(text), public.library_lexemes(text, text),
  public.library_document(text, text), public.library_strings(json),
  public.library_transcript(json, json)
to authenticated;

-- Everybody reads and writes rows of their own. `select auth.uid()` is asked once a query, not once
-- a row.
alter table public.media enable row level security;
alter table public.analysis enable row level security;

drop policy if exists "Own media are read" on public.media;
create policy "Own media are read" on public.media for select to authenticated
  using (user_id = (select auth.uid()));
drop policy if exists "Own media are added" on public.media;
create policy "Own media are added" on public.media for insert to authenticated
  with check (user_id = (select auth.uid()));
drop policy if exists "Own media are changed" on public.media;
create policy "Own media are changed" on public.media for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
drop policy if exists "Own media are deleted" on public.media;
create policy "Own media are deleted" on public.media for delete to authenticated
  using (user_id = (select auth.uid()));

drop policy if exists "Own analyses are read" on public.analysis;
create policy "Own analyses are read" on public.analysis for select to authenticated
  using (user_id = (select auth.uid()));
drop policy if exists "Own analyses are added" on public.analysis;
create policy "Own analyses are added" on public.analysis for insert to authenticated
  with check (user_id = (select auth.uid()));
drop policy if exists "Own analyses are changed" on public.analysis;
create policy "Own analyses are changed" on public.analysis for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
drop policy if exists "Own analyses are deleted" on public.analysis;
create policy "Own analyses are deleted" on public.analysis for delete to authenticated
  using (user_id = (select auth.uid()));
