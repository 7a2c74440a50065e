-- What a Supabase project brings before anybody runs a migration, as far as the library uses it.
-- The roles belong to the whole server and are made elsewhere.

grant usage on schema public to anon, authenticated, service_role;
-- As projects had it for years; newer ones grant nothing. The migrations must do well with either.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create table auth.users (
  id uuid primary key default gen_random_uuid(),
  email text unique not null,
  encrypted_password text not null,
  email_confirmed_at timestamptz,
  created_at timestamptz not null default now()
);
create table auth.refresh_tokens (
  token text primary key default gen_random_uuid()::text,
  user_id uuid not null references auth.users on delete cascade,
  session_id uuid not null default gen_random_uuid(),
  revoked boolean not null default false
);
create table auth.flow_state (
  auth_code text primary key default gen_random_uuid()::text,
  user_id uuid not null references auth.users on delete cascade,
  code_challenge text not null
);
create function auth.uid() returns uuid language sql stable as $$
  select nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
$$;

create schema storage;
grant usage on schema storage to anon, authenticated, service_role;
create table storage.buckets (
  id text primary key,
  name text unique not null,
  public boolean default false,
  file_size_limit bigint,
  created_at timestamptz default now()
);
create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id),
  name text,
  metadata jsonb,
  owner_id text,
  unique (bucket_id, name)
);
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
create function storage.foldername(name text) returns text[] language plpgsql immutable as $$
declare
  parts text[] := string_to_array(name, '/');
begin
  return parts[1 : array_length(parts, 1) - 1];
end $$;
