-- What the frontend asks for in one piece. All of them run as the user who asks, so that row level
-- security holds in them as it does for the tables.

-- A new recording and what is asked for it. One that is there already stays as it is.
create or replace function public.library_add(recording jsonb, request json) returns void
language plpgsql security invoker set search_path = '' as $$
begin
  insert into public.media (
    id, title, created_at, source, source_name, size_bytes, duration_s, language, tags, state,
    job_id, error, message
  )
  select
    given.id, given.title, given.created_at, given.source, given.source_name, given.size_bytes,
    given.duration_s, given.language, given.tags, given.state, given.job_id, given.error,
    given.message
  from jsonb_populate_record(null::public.media, recording) as given
  on conflict (user_id, id) do nothing;
  if found then
    insert into public.analysis (media_id, request)
    values (recording ->> 'id', library_add.request);
  end if;
end $$;

-- Keep an answer. What follows from it is done once: asking again changes nothing that the user
-- may have edited since. `suggested_title` takes the place of a title that is still the source's.
create or replace function public.library_complete(
  of_media text, answer json, suggested_title text, found_items jsonb
) returns void
language plpgsql security invoker set search_path = '' as $$
declare
  found_insights json := case json_typeof(answer -> 'insights')
    when 'object' then answer -> 'insights' end;
  is_new boolean;
begin
  -- Two that complete the same recording go one after the other.
  perform from public.media where user_id = auth.uid() and id = of_media for update;
  select response is null into is_new
  from public.analysis where user_id = auth.uid() and media_id = of_media;
  if is_new is null then
    return;
  end if;
  update public.media set state = 'completed', error = null, message = null, job_id = null
  where user_id = auth.uid() and id = of_media;
  if not found then -- it is there, so that a policy hides it: an answer is never lost silently
    raise insufficient_privilege using message = 'row-level security hides table "media"';
  end if;
  if not is_new then
    return;
  end if;
  update public.media set
    title = case when title = source_name then coalesce(suggested_title, title) else title end,
    duration_s = (answer ->> 'duration')::double precision,
    language = answer ->> 'language'
  where user_id = auth.uid() and id = of_media;
  update public.analysis
  set response = answer, insights = found_insights, action_items = found_items
  where user_id = auth.uid() and media_id = of_media;
  if not found then
    raise insufficient_privilege using message = 'row-level security hides table "analysis"';
  end if;
end $$;

-- Tags keep their order; what is added comes last, and what is both added and removed is gone.
create or replace function public.library_tag(of_media text[], added text[], removed text[]) returns void
language sql security invoker set search_path = '' as $$
  update public.media set tags = array(
    select tag from unnest(tags || added) with ordinality as each (tag, place)
    where tag <> all (removed) group by tag order by min(place)
  )
  where user_id = auth.uid() and id = any (of_media);
$$;

-- A regular expression for the words that a search finds: beginning with one of `words`, whose
-- letters may have accents in the text.
create or replace function public.library_pattern(words text[]) returns text
language sql immutable parallel safe set search_path = ''
return (
  with accented (plain, letters) as (
    select left(normalize(chr(code), nfd), 1), string_agg(chr(code), '')
    from (select generate_series(192, 591) union all select generate_series(7680, 7935)) as c (code)
    where normalize(chr(code), nfd) ~ '^[a-z][\u0300-\u036f]+$'
    group by 1
  ), spelled (word) as (
    select string_agg(
      case when letter ~ '[a-z]' then '[' || letter || coalesce(letters, '') || '][\u0300-\u036f]*'
      else letter end, '' order by place)
    from unnest(words) with ordinality as each (word, number),
      lateral unnest(string_to_array(word, null)) with ordinality as spelling (letter, place)
      left join accented on plain = letter
    group by number
  )
  select '(^|[^[:alnum:]])((?:' || string_agg(word, '|') || ')[[:alnum:]\u0300-\u036f]*)'
  from spelled
);

-- Some 200 characters around the first word that is found, with a mark on either side of each.
-- (ts_headline would not find words by their parts or without their accents.)
create or replace function public.library_excerpt(said text, pattern text) returns text
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  hit text[] := regexp_match(said, pattern, 'i');
  place integer;
  before text;
  after text;
begin
  if hit is null then
    return null;
  end if;
  place := strpos(said, hit[1] || hit[2]);
  before := substr(said, greatest(1, place - 60), least(60, place - 1));
  after := substr(said, place, 140);
  if place > 61 then
    before := '…' || regexp_replace(before, '^\S*\s+', '');
  end if;
  if length(said) >= place + 140 then
    after := regexp_replace(after, '(\S)\s+\S*$', '\1') || '…';
  end if;
  return regexp_replace(before || after, pattern, e'\\1\ue000\\2\ue001', 'gi');
end $$;

-- A page of the library, and how many recordings match in all. Empty lists let everything through.
create or replace function public.library_search(
  search_text text default '',
  of_languages text[] default '{}',
  of_states text[] default '{}',
  of_sentiments text[] default '{}',
  of_tags text[] default '{}',
  of_topics text[] default '{}',
  since date default null,
  until date default null,
  sort_by text default 'created_at',
  descending boolean default true,
  page_size integer default 50,
  skipped integer default 0
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
        case when sort_by = 'created_at' and not descending
          or sort_by = 'relevance' and not (is_search or descending) then media.created_at end,
        case when sort_by in ('created_at', 'relevance') then media.created_at end desc,
        media.id collate "C"
      ) as place
      from public.media join public.analysis
        on analysis.user_id = media.user_id and analysis.media_id = media.id
      where (cardinality(of_languages) = 0 or media.language = any (of_languages))
        and (cardinality(of_states) = 0 or media.state = any (of_states))
        and (cardinality(of_sentiments) = 0 or analysis.sentiment = any (of_sentiments))
        and (cardinality(of_tags) = 0 or media.tags && of_tags)
        and (cardinality(of_topics) = 0 or analysis.topics && of_topics)
        and (since is null or media.created_at >= since::timestamp at time zone 'utc')
        and (until is null or media.created_at < (until + 1)::timestamp at time zone 'utc')
        and (not is_search or media.document @@ wanted)
    ), page as (
      select found.place, media.id, title, created_at, source, source_name, size_bytes, duration_s,
        language, tags, state, job_id, error, message, topics, sentiment, sentiment_score,
        case when is_search then public.library_excerpt(transcript, pattern) end as excerpt
      from found join public.media on media.id = found.id
        join public.analysis on analysis.user_id = media.user_id and analysis.media_id = media.id
      where found.place > skipped and found.place <= skipped + page_size
    )
    select json_build_object(
      'total', (select count(*) from found),
      'rows', (select coalesce(json_agg(page order by place), '[]') from page)
    )
  );
end $$;

-- What there is to filter by, the most frequent first.
create or replace function public.library_facets() returns json
language sql stable security invoker set search_path = '' as $$
  with named (kind, name) as (
    select 'languages', language from public.media
    union all select 'tags', unnest(tags) from public.media
    union all select 'topics', unnest(topics) from public.analysis
  ), counted as (
    select kind, name, count(*) as times from named where name <> '' group by kind, name
  ), listed (kind, names) as (
    select kind, json_agg(name order by times desc, name collate "C") from counted group by kind
  )
  select coalesce(json_object_agg(kind, names), '{}') from listed;
$$;

-- Totals over completed recordings; weeks are named by their Mondays (UTC).
create or replace function public.library_overview(since date default null, topic_limit integer default 8)
returns json
language sql stable security invoker set search_path = '' as $$
  with counted as (
    select date_trunc('week', created_at at time zone 'utc')::date as monday, duration_s, language,
      sentiment, topics, action_items
    from public.media join public.analysis
      on analysis.user_id = media.user_id and analysis.media_id = media.id
    where state = 'completed'
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

-- Action items that are not done, of the newest recordings first.
create or replace function public.library_open_items(most integer default 100) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(json_agg(found), '[]') from (
    select media.id as media_id, title, created_at, place - 1 as index, item
    from public.media join public.analysis
        on analysis.user_id = media.user_id and analysis.media_id = media.id,
      jsonb_array_elements(action_items) with ordinality as each (item, place)
    where state = 'completed' and not coalesce((item ->> 'done')::boolean, false)
    order by created_at desc, media.id collate "C", place limit most
  ) as found;
$$;

-- What is missing in this project for the one who asks. Without it a missing policy could not be
-- told from an empty library, since row level security hides rows without an error.
create or replace function public.library_check() returns json
language sql stable security invoker set search_path = '' as $$
  with place (relation, schema_name, table_name) as (values
    ('public.media'::regclass, 'public', 'media'),
    ('public.analysis'::regclass, 'public', 'analysis'),
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
      'library_add', 'library_complete', 'library_tag', 'library_pattern', 'library_excerpt',
      'library_search', 'library_facets', 'library_overview', 'library_open_items', 'library_check')
  loop
    execute format('revoke all on function %s from public, anon, service_role', made);
    execute format('grant execute on function %s to authenticated', made);
  end loop;
end $$;

notify pgrst, 'reload schema';
