-- The recordings' audio: a private bucket, with a folder for each user that is named by their id.

insert into storage.buckets (id, name, public) values ('audio', 'audio', false)
on conflict (id) do update set public = false;

drop policy if exists "Own audio is read" on storage.objects;
create policy "Own audio is read" on storage.objects for select to authenticated
  using (bucket_id = 'audio' and (storage.foldername(name))[1] = (select auth.uid())::text);
drop policy if exists "Own audio is added" on storage.objects;
create policy "Own audio is added" on storage.objects for insert to authenticated
  with check (bucket_id = 'audio' and (storage.foldername(name))[1] = (select auth.uid())::text);
drop policy if exists "Own audio is changed" on storage.objects;
create policy "Own audio is changed" on storage.objects for update to authenticated
  using (bucket_id = 'audio' and (storage.foldername(name))[1] = (select auth.uid())::text)
  with check (bucket_id = 'audio' and (storage.foldername(name))[1] = (select auth.uid())::text);
drop policy if exists "Own audio is deleted" on storage.objects;
create policy "Own audio is deleted" on storage.objects for delete to authenticated
  using (bucket_id = 'audio' and (storage.foldername(name))[1] = (select auth.uid())::text);

-- So that the frontend can tell a bucket that is missing from one that is empty.
drop policy if exists "The audio bucket is seen" on storage.buckets;
create policy "The audio bucket is seen" on storage.buckets for select to authenticated
  using (id = 'audio');
