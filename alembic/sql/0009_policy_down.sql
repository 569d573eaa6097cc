-- Back to 0005: any change of the rules raises the number, and nothing else is kept.
drop trigger policy_rules_versioned on policy_rules;
drop function raise_policy_version();
drop function policy_enable(bigint);
drop function policy_publish(text, policy_changes, text);
drop function policy_text();
drop trigger policy_changes_in_force on policy_changes;
drop function policy_change_in_force();
drop trigger policy_changes_guarded on policy_changes;
drop function policy_change_guard();
grant select, insert, update, delete on policy_rules to yikatong_app;
create function raise_policy_version() returns trigger language plpgsql
    security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    update policy_version set version = version + 1;
    perform pg_notify('policy', '');
    return null;
end $$;
create trigger policy_rules_versioned after insert or update or delete or truncate on policy_rules
    for each statement execute function raise_policy_version();
update policy_version set version = 1 where version = 0;
