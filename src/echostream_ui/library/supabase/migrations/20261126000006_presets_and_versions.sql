-- Presets, the options that users keep under a name, and versions: what `analysis` held before its
-- recording was transcribed again.

create table if not exists public.preset (
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  name text not null check (name <> '' and length(name) <= 200),
  options json not null check (json_typeof(options) = 'object'),
  used_at timestamptz not null default clock_timestamp(),
  primary key (user_id, name)
);

create table if not exists public.version (
  user_id uuid not null default auth.uid(),
  id uuid not null default gen_random_uuid(),
  media_id text not null,
  replaced_at timestamptz not null default clock_timestamp(),
  analysis json not null check (json_typeof(analysis) = 'object'), -- its columns, as they were
  primary key (user_id, id),
  foreign key (user_id, media_id) references public.media (user_id, id) on delete cascade
);
create index if not exists version_by_media on public.version (user_id, media_id);

revoke all on public.preset, public.version from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.preset, public.version to authenticated;

do $$
declare
  place record;
begin
  for place in
    select * from (values ('preset', 'presets'), ('version', 'versions')) as t (name, plural)
  loop
    execute format('alter table public.%I enable row level security', place.name);
    execute format('drop policy if exists "Own %s are read" on public.%I', place.plural, place.name);
    execute format('drop policy if exists "Own %s are added" on public.%I', place.plural, place.name);
    execute format('drop policy if exists "Own %s are changed" on public.%I', place.plural, place.name);
    execute format('drop policy if exists "Own %s are deleted" on public.%I', place.plural, place.name);
    execute format(
      'create policy "Own %s are read" on public.%I for select to authenticated
        using (user_id = (select auth.uid()))', place.plural, place.name);
    execute format(
      'create policy "Own %s are added" on public.%I for insert to authenticated
        with check (user_id = (select auth.uid()))', place.plural, place.name);
    execute format(
      'create policy "Own %s are changed" on public.%I for update to authenticated
        using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()))',
      place.plural, place.name);
    execute format(
      'create policy "Own %s are deleted" on public.%I for delete to authenticated
        using (user_id = (select auth.uid()))', place.plural, place.name);
  end loop;
end $$;

-- The last used one comes first.
create or replace function public.library_presets() returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(
    json_agg(json_build_object('name', name, 'options', options)
      order by used_at desc, name collate "C"), '[]')
  from public.preset where user_id = auth.uid();
$$;

create or replace function public.library_keep_preset(of_name text, given json) returns void
language sql security invoker set search_path = '' as $$
  insert into public.preset (name, options) values (of_name, given)
  on conflict (user_id, name) do update
  set options = excluded.options, used_at = excluded.used_at;
$$;

create or replace function public.library_delete_preset(of_name text) returns void
language sql security invoker set search_path = '' as $$
  delete from public.preset where user_id = auth.uid() and name = of_name;
$$;

-- In short: a list needs no transcripts.
create or replace function public.library_versions(of_media text) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce(
    json_agg(json_build_object(
      'id', id,
      'replaced_at', replaced_at,
      'engine', analysis #>> '{response,engine}',
      'model', analysis #>> '{response,model}',
      'edits', (select count(*) from json_object_keys(analysis -> 'edits'))
    ) order by replaced_at desc), '[]')
  from public.version where user_id = auth.uid() and media_id = of_media;
$$;

create or replace function public.library_version(of_media text, of_version text) returns json
language sql stable security invoker set search_path = '' as $$
  select coalesce((
    select analysis from public.version
    where user_id = auth.uid() and media_id = of_media and id::text = of_version
  ), 'null');
$$;

-- Put results in the place of the present ones, which become a version; `of_version` is the one
-- that they were, which goes.
create or replace function public.library_replace(of_media text, results json, of_version text)
returns void language plpgsql security invoker set search_path = '' as $$
begin
  perform from public.media where user_id = auth.uid() and id = of_media for update;
  insert into public.version (media_id, analysis)
  select of_media, to_json(present) from (
    select request, response, insights, edits, line_speakers, speakers, action_items
    from public.analysis
    where user_id = auth.uid() and media_id = of_media and response is not null
  ) as present;
  if not found then -- deleted meanwhile
    return;
  end if;
  update public.media set
    duration_s = (results #>> '{response,duration}')::double precision,
    language = results #>> '{response,language}'
  where user_id = auth.uid() and id = of_media;
  if not found then -- it is there, so that a policy hides it
    raise insufficient_privilege using message = 'row-level security hides table "media"';
  end if;
  update public.analysis set
    request = results -> 'request',
    response = results -> 'response',
    insights = case json_typeof(results -> 'insights')
      when 'object' then results -> 'insights' end,
    edits = results -> 'edits',
    line_speakers = results -> 'line_speakers',
    speakers = results -> 'speakers',
    action_items = (results -> 'action_items')::jsonb
  where user_id = auth.uid() and media_id = of_media;
  if not found then
    raise insufficient_privilege using message = 'row-level security hides table "analysis"';
  end if;
  delete from public.version
  where user_id = auth.uid() and media_id = of_media and id::text = of_version;
end $$;

-- As before, with the tables that are new here.
create or replace function public.library_check() returns json
language sql stable security invoker set search_path = '' as $$
  with place (relation, schema_name, table_name) as (values
    ('public.media'::regclass, 'public', 'media'),
    ('public.analysis'::regclass, 'public', 'analysis'),
    ('public.preset'::regclass, 'public', 'preset'),
    ('public.version'::regclass, 'public', 'version'),
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
      'library_presets', 'library_keep_preset', 'library_delete_preset', 'library_versions',
      'library_version', 'library_replace', 'library_check')
  loop
    execute format('revoke all on function %s from public, anon, service_role', made);
    execute format('grant execute on function %s to authenticated', made);
  end loop;
end $$;

notify pgrst, 'reload schema';
