do $events$
declare
    said text := (select p.qual from pg_policies p where p.tablename = 'events' and p.policyname = 'sector_scope');
begin
    execute 'drop policy sector_scope on events';
    execute format('create policy sector_scope on events as restrictive for select to yikatong_app using (%s)',
        regexp_replace(said, '\s+WHEN ''application''::text THEN.*ELSE true', E'\n    ELSE true'));
end
$events$;
drop trigger virtual_members_gone on virtual_members;
drop trigger members_gone on members;
drop function note_gone();
drop function application_agree(bigint, text, boolean, text);
drop trigger applications_told on applications;
drop trigger applications_told_new on applications;
drop function tell_department();
drop trigger applications_kept on applications;
drop function keep_application();
drop sequence application_numbers;
