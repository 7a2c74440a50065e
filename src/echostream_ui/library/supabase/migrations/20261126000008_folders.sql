-- Folders, saved filters, the bin, the digest of the audio, and every line that a search finds.
-- It needs PostgreSQL 15.

create table if not exists public.folder (
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  id text not null check (id ~ '^[A-Za-z0-9_-]{1,100}$'),
  name text not null check (name ~ '\S'),
  primary key (user_id, id)
);
create unique index if not exists folder_by_name on public.folder (user_id, lower(name));

-- `choice` is the page's own: json and not jsonb, so that it comes back as it was given.
create table if not exists public.saved_filter (
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  name text not null check (name ~ '\S'),
  choice json not null,
  primary key (user_id, name)
);

revoke all on public.folder, public.saved_filter from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.folder, public.saved_filter to authenticated;
alter table public.folder enable row level security;
alter table public.saved_filter enable row level security;

drop policy if exists "Own folders" on public.folder;
create policy "Own folders" on public.folder for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
drop policy if exists "Own filters" on public.saved_filter;
create policy "Own filters" on public.saved_filter for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

-- A recording is in a folder of the same user: the foreign key has both columns.
alter table public.media
  add column if not exists folder text,
  add column if not exists deleted_at timestamptz, -- since when it is in the bin
  add column if not exists sha256 text check (sha256 ~ '^[0-9a-f]{64}$');
alter table public.media drop constraint if exists media_in_folder;
alter table public.media add constraint media_in_folder foreign key (user_id, folder)
  references public.folder (user_id, id) on delete set null (folder);

create index if not exists media_of_folder on public.media (user_id, folder, created_at)
  where deleted_at is null;
create index if not exists media_in_bin on public.media (user_id, deleted_at)
  where deleted_at is not null;
create index if not exists media_by_sha256 on public.media (user_id, sha256)
  where sha256 is not null;
create index if not exists media_without_sha256 on public.media (user_id, size_bytes)
  where sha256 is null;

-- When each line of `library_transcript` begins, in seconds. A segment that the user wrote several
-- lines into has as many.
create or replace function public.library_line_starts(response json, edits json)
returns double precision[]
language sql immutable parallel safe set search_path = ''
return array(
  select case json_typeof(segment -> 'start')
    when 'number' then (segment ->> 'start')::double precision end
  from json_array_elements(
    case json_typeof(response -> 'segments') when 'array' then response -> 'segments' else '[]' end
  ) with ordinality as each (segment, place),
  lateral (
    select regexp_replace(
      coalesce(edits ->> (segment ->> 'id'), segment ->> 'text'), '^\s+|\s+$', '', 'g') as line
  ) as text,
  lateral string_to_table(line, e'\n') with ordinality as part (piece, number)
  where line <> '' order by place, number
);

alter table public.analysis add column if not exists line_starts double precision[]
  generated always as (public.library_line_starts(response, edits)) stored;

-- The lines of a text in which words are found, each with when it begins and with a mark on either
-- side of every word; at most so many, those with the most different words. `all` counts them all.
create or replace function public.library_matches(
  said text, starts double precision[], pattern text, most integer
) returns json
language sql immutable parallel safe set search_path = ''
return (
  with found as (
    select place, line from string_to_table(said, e'\n') with ordinality as each (line, place)
    where line ~* pattern
  ), chosen as (
    select place, line from found
    order by (
      select count(distinct lower(hit[2])) from regexp_matches(line, pattern, 'gi') as hit
    ) desc, place
    limit most
  )
  select json_build_object(
    'all', (select count(*) from found),
    'lines', (
      select coalesce(json_agg(json_build_array(
        starts[place], regexp_replace(line, pattern, e'\\1\ue000\\2\ue001', 'gi')
      ) order by place), '[]') from chosen)
  )
);

-- Every line of one recording in which words of the search are found.
create or replace function public.library_lines(of_media text, search_text text) returns json
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select array_remove(string_to_array(public.library_words(search_text), ' '), '') as words
  )
  select coalesce((
    select public.library_matches(transcript, line_starts, public.library_pattern(words), 1000)
      -> 'lines'
    from wanted, public.media join public.analysis
      on analysis.user_id = media.user_id and analysis.media_id = media.id
    where media.user_id = auth.uid() and media.id = of_media and cardinality(words) > 0
  ), '[]');
$$;

create or replace function public.library_folders() returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(found order by lower(name) collate "C"), '[]') from (
    select folder.id, name, count(media.id) as recordings
    from public.folder left join public.media on media.user_id = folder.user_id
      and media.folder = folder.id and media.deleted_at is null
    group by folder.user_id, folder.id
  ) as found;
$$;

create or replace function public.library_add_folder(new_id text, new_name text) returns void
language sql security invoker set search_path = '' as $$
  insert into public.folder (id, name) values (new_id, new_name);
$$;

create or replace function public.library_move(of_media text[], to_folder text) returns void
language sql security invoker set search_path = '' as $$
  update public.media set folder = to_folder where user_id = auth.uid() and id = any (of_media);
$$;

create or replace function public.library_filters() returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(
    json_agg(json_build_object('name', name, 'choice', choice)
      order by lower(name) collate "C", name collate "C"), '[]')
  from public.saved_filter;
$$;

create or replace function public.library_save_filter(of_name text, new_choice json) returns void
language sql security invoker set search_path = '' as $$
  insert into public.saved_filter (name, choice) values (of_name, new_choice)
  on conflict (user_id, name) do update set choice = excluded.choice;
$$;

create or replace function public.library_delete_filter(of_name text) returns void
language sql security invoker set search_path = '' as $$
  delete from public.saved_filter where user_id = auth.uid() and name = of_name;
$$;

-- Into the bin, or out of it. What is there already stays as it is.
create or replace function public.library_bin(of_media text[], is_deleted boolean) returns void
language sql security invoker set search_path = '' as $$
  update public.media set deleted_at = case when is_deleted then now() end
  where user_id = auth.uid() and id = any (of_media) and (deleted_at is null) = is_deleted;
$$;

create or replace function public.library_in_bin(until_moment timestamptz) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(id), '[]') from public.media
  where user_id = auth.uid() and deleted_at <= until_moment;
$$;

-- Recordings of this size whose audio has no digest yet.
create or replace function public.library_without_digest(of_size bigint) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(id), '[]') from public.media
  where user_id = auth.uid() and sha256 is null and size_bytes = of_size
    and state = 'completed' and audio_name is not null and source <> 'live';
$$;

create or replace function public.library_same_audio(digest text) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(id order by created_at desc), '[]') from public.media
  where user_id = auth.uid() and sha256 = digest and deleted_at is null;
$$;

-- As before, and with the folder and the digest.
create or replace function public.library_add(recording jsonb, request json) returns void
language plpgsql security invoker set search_path = '' as $$
begin
  insert into public.media (
    id, title, created_at, source, source_name, size_bytes, duration_s, language, tags, state,
    job_id, error, message, folder, sha256
  )
  select
    given.id, given.title, given.created_at, given.source, given.source_name, given.size_bytes,
    given.duration_s, given.language, given.tags, given.state, given.job_id, given.error,
    given.message, given.folder, given.sha256
  from jsonb_populate_record(null::public.media, recording) as given
  on conflict (user_id, id) do nothing;
  if found then
    insert into public.analysis (media_id, request)
    values (recording ->> 'id', library_add.request);
  end if;
end $$;

-- A page of the library, and how many recordings match in all. Empty lists let everything through.
-- `in_folder` is an id, '' for recordings in no folder, or null for all. What is in the bin is found
-- only if `in_bin`, and then nothing else is.
drop function if exists public.library_search(
  text, text[], text[], text[], text[], text[], date, date, text, boolean, integer, integer);
drop function if exists public.library_excerpt(text, text);
create or replace function public.library_search(
  search_text text default '',
  of_languages text[] default '{}',
  of_states text[] default '{}',
  of_sentiments text[] default '{}',
  of_tags text[] default '{}',
  of_topics text[] default '{}',
  in_folder text default null,
  begin_at timestamptz default null,
  end_at timestamptz default null,
  in_bin boolean default false,
  sort_by text default 'created_at',
  descending boolean default true,
  page_size integer default 50,
  skipped integer default 0,
  most_matches integer default 3
) returns json
language plpgsql stable security invoker set search_path = '' as $$
declare
  words text[] := array_remove(string_to_array(public.library_words(search_text), ' '), '');
  is_search boolean := cardinality(words) > 0;
  wanted tsquery := nullif(array_to_string(words, ':* & ') || ':*', ':*')::tsquery;
  pattern text := public.library_pattern(words);
begin
  if search_text ~ '\S' and not is_search then
    return '{"total": 0, "rows": []}'; -- nothing that could stand in a transcript
  end if;
  return (
    with found as materialized (
      select media.id, row_number() over (order by
        case when is_search and sort_by = 'relevance'
          then ts_rank('{0, 0, 0.25, 1}', media.document, wanted) end desc nulls last,
        case when sort_by = 'title' and descending then lower(media.title collate "C") end desc,
        case when sort_by = 'title' and not descending then lower(media.title collate "C") end,
        case when sort_by = 'duration_s' and descending then media.duration_s end desc nulls last,
        case when sort_by = 'duration_s' and not descending then media.duration_s end nulls last,
        case when sort_by = 'deleted_at' and descending then media.deleted_at end desc nulls last,
        case when sort_by = 'deleted_at' and not descending then media.deleted_at end nulls last,
        case when sort_by = 'created_at' and not descending
          or sort_by = 'relevance' and not (is_search or descending) then media.created_at end,
        case when sort_by in ('created_at', 'relevance') then media.created_at end desc,
        media.id collate "C"
      ) as place
      from public.media join public.analysis
        on analysis.user_id = media.user_id and analysis.media_id = media.id
      where (media.deleted_at is not null) = in_bin
        and (cardinality(of_languages) = 0 or media.language = any (of_languages))
        and (cardinality(of_states) = 0 or media.state = any (of_states))
        and (cardinality(of_sentiments) = 0 or analysis.sentiment = any (of_sentiments))
        and (cardinality(of_tags) = 0 or media.tags && of_tags)
        and (cardinality(of_topics) = 0 or analysis.topics && of_topics)
        and (in_folder is null or media.folder = in_folder or in_folder = '' and media.folder is null)
        and (begin_at is null or media.created_at >= begin_at)
        and (end_at is null or media.created_at < end_at)
        and (not is_search or media.document @@ wanted)
    ), page as (
      select found.place, media.id, title, created_at, source, source_name, size_bytes, duration_s,
        language, tags, state, job_id, error, message, folder, deleted_at, sha256,
        topics, sentiment, sentiment_score,
        coalesce((shown ->> 'all')::integer, 0) as all_matches,
        coalesce(shown -> 'lines', '[]') as matches
      from found join public.media on media.id = found.id
        join public.analysis on analysis.user_id = media.user_id and analysis.media_id = media.id,
        lateral (
          select case when is_search
            then public.library_matches(transcript, line_starts, pattern, most_matches) end as shown
        ) as matching
      where found.place > skipped and found.place <= skipped + page_size
    )
    select json_build_object(
      'total', (select count(*) from found),
      'rows', (select coalesce(json_agg(page order by place), '[]') from page)
    )
  );
end $$;

-- As before, without what is in the bin.
create or replace function public.library_facets() returns json
language sql stable security invoker set search_path = '' as $$
  with named (kind, name) as (
    select 'languages', language from public.media where deleted_at is null
    union all select 'tags', unnest(tags) from public.media where deleted_at is null
    union all select 'topics', unnest(topics) from public.media join public.analysis
      on analysis.user_id = media.user_id and analysis.media_id = media.id
    where deleted_at is null
  ), counted as (
    select kind, name, count(*) as times from named where name <> '' group by kind, name
  ), listed (kind, names) as (
    select kind, json_agg(name order by times desc, name collate "C") from counted group by kind
  )
  select coalesce(json_object_agg(kind, names), '{}') from listed;
$$;

create or replace function public.library_overview(since date default null, topic_limit integer default 8)
returns json
language sql stable security invoker set search_path = '' as $$
  with counted as (
    select date_trunc('week', created_at at time zone 'utc')::date as monday, duration_s, language,
      sentiment, topics, action_items
    from public.media join public.analysis
      on analysis.user_id = media.user_id and analysis.media_id = media.id
    where deleted_at is null and state = 'completed'
      and (since is null or created_at >= since::timestamp at time zone 'utc')
  ), weeks as (
    select monday, count(*) as recordings, coalesce(sum(duration_s), 0) as duration_s,
      count(*) filter (where sentiment = 'positive') as positive,
      count(*) filter (where sentiment = 'neutral') as neutral,
      count(*) filter (where sentiment = 'negative') as negative
    from counted group by monday
  ), said as (
    select unnest(topics) as topic, monday from counted
  ), top as (
    select topic, count(*) as times from said
    group by topic order by times desc, topic collate "C" limit topic_limit
  ), topic_weeks as (
    select topic, monday, times, count(*) as recordings from said join top using (topic)
    group by topic, monday, times
  ), languages as (
    select language, count(*) as times from counted where language is not null group by language
  ), items as (
    select coalesce((item ->> 'done')::boolean, false) as done
    from counted, jsonb_array_elements(action_items) as each (item)
  )
  select json_build_object(
    'weeks', (select coalesce(json_agg(weeks order by monday), '[]') from weeks),
    'topics', (
      select coalesce(json_agg(json_build_array(topic, monday, recordings)
        order by times desc, topic collate "C", monday), '[]') from topic_weeks),
    'languages', (
      select coalesce(json_agg(json_build_array(language, times)
        order by times desc, language collate "C"), '[]') from languages),
    'open_items', (select count(*) from items where not done),
    'done_items', (select count(*) from items where done)
  );
$$;

create or replace function public.library_open_items(most integer default 100) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(found), '[]') from (
    select media.id as media_id, title, created_at, place - 1 as index, item
    from public.media join public.analysis
        on analysis.user_id = media.user_id and analysis.media_id = media.id,
      jsonb_array_elements(action_items) with ordinality as each (item, place)
    where deleted_at is null and state = 'completed' and not coalesce((item ->> 'done')::boolean, false)
    order by created_at desc, media.id collate "C", place limit most
  ) as found;
$$;

-- As before, with the tables that are new here.
create or replace function public.library_check() returns json
language sql stable security invoker set search_path = '' as $$
  with place (relation, schema_name, table_name) as (values
    ('public.media'::regclass, 'public', 'media'),
    ('public.analysis'::regclass, 'public', 'analysis'),
    ('public.preset'::regclass, 'public', 'preset'),
    ('public.version'::regclass, 'public', 'version'),
    ('public.folder'::regclass, 'public', 'folder'),
    ('public.saved_filter'::regclass, 'public', 'saved_filter'),
    ('storage.objects'::regclass, 'storage', 'objects') -- what is granted on it is not ours
  ), needed as (
    select * from place, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as operation
  )
  select json_build_object(
    'role', current_user,
    'grants', (
      select coalesce(json_agg(operation || ' on ' || table_name), '[]') from needed
      where schema_name = 'public' and not has_table_privilege(relation, operation)),
    'policies', (
      select coalesce(json_agg(operation || ' on ' || table_name), '[]') from needed
      where not exists (
        select from pg_policies where schemaname = schema_name and tablename = table_name
        and cmd in (operation, 'ALL') and roles && array['authenticated', 'public']::name[])),
    'unprotected', (
      select coalesce(json_agg(table_name), '[]') from place join pg_class on oid = relation
      where not relrowsecurity),
    'bucket', (select json_build_object('public', public) from storage.buckets where id = 'audio')
  );
$$;

do $$
declare
  made regprocedure;
begin
  for made in
    select oid from pg_proc where pronamespace = 'public'::regnamespace and proname in (
      'library_line_starts', 'library_matches', 'library_lines', 'library_folders',
      'library_add_folder', 'library_move', 'library_filters', 'library_save_filter',
      'library_delete_filter', 'library_bin', 'library_in_bin', 'library_without_digest',
      'library_same_audio', 'library_add', 'library_search', 'library_facets', 'library_overview',
      'library_open_items', 'library_check')
  loop
    execute format('revoke all on function %s from public, anon, service_role', made);
    execute format('grant execute on function %s to authenticated', made);
  end loop;
end $$;

notify pgrst, 'reload schema';
