-- The name of a recording's file, or its address, is found like its title.

do $$
begin
  if exists (
    select from pg_attrdef
    join pg_attribute on attrelid = adrelid and attnum = adnum
    where adrelid = 'public.media'::regclass and attname = 'document'
      and pg_get_expr(adbin, adrelid) like '%source_name%'
  ) then
    return; -- done before: doing it again would write the whole table anew
  end if;
  alter table public.media drop column if exists document; -- its index goes with it
  alter table public.media add column document tsvector generated always as (
    public.library_document(
      case when title = source_name then title else title || ' ' || source_name end, transcript
    )
  ) stored;
end $$;

create index if not exists media_by_document on public.media using gin (document);
