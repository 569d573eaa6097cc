-- Row-level security (DESIGN D2). Ranges only: no '*', no LIKE; an unset scope sees nothing.
do $policies$
declare
    t text;
    inside constant text :=
        'division_code >= (select current_setting(''app.scope_from'', true))'
        ' and division_code < (select current_setting(''app.scope_to'', true))'
        ' and not (division_code >= (select current_setting(''app.hole_from'', true))'
        ' and division_code < (select current_setting(''app.hole_to'', true)))';
    above constant text :=
        '(select current_setting(''app.scope_from'', true)) <> '''' and division_code in (''150000000000'','
        ' (select left(current_setting(''app.scope_from'', true), 4)) || ''00000000'','
        ' (select left(current_setting(''app.scope_from'', true), 6)) || ''000000'')';
    ranged constant text[] := array[
        'accounts', 'agent_accounts', 'assets', 'bank_batches', 'budget_indicators', 'bulletins', 'desk_holders',
        'differences', 'disbursements', 'entitlement_successes', 'event_heads', 'event_links', 'events', 'failures',
        'households', 'import_rows', 'jobs', 'journal_entries', 'members', 'notices', 'objections', 'outbox',
        'payment_orders', 'postings', 'project_links', 'refunds', 'refusals', 'result_exceptions', 'roster_imports',
        'roster_lines', 'roster_warnings', 'rosters', 'statement_entries', 'statements', 'stored_files'];
    downward constant text[] := array[
        'notice_periods', 'organisations', 'project_standards', 'subsidy_projects', 'warning_rules'];
begin
    foreach t in array ranged || downward loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy scope_insert on %I for insert to yikatong_app with check (%s)', t, inside);
        execute format('create policy scope_update on %I for update to yikatong_app using (%s) with check (%s)',
                       t, inside, inside);
        execute format('create policy scope_delete on %I for delete to yikatong_app using (%s)', t, inside);
    end loop;
    foreach t in array ranged loop
        execute format('create policy scope_select on %I for select to yikatong_app using (%s)', t, inside);
    end loop;
    foreach t in array downward loop
        execute format('create policy scope_select on %I for select to yikatong_app using ((%s) or (%s))',
                       t, inside, above);
    end loop;
end
$policies$;

-- Rights: select and write everywhere, then take away what only functions or nobody may do.
grant usage on schema public to yikatong_app;
grant select, insert, update, delete on all tables in schema public to yikatong_app;
revoke all on officers, posts, login_sessions from yikatong_app;
revoke insert, update, delete on divisions, calendar_days, business_clock, policy_version, agent_banks
    from yikatong_app;
revoke update, delete on events, journal_entries, postings, refusals, desk_holders from yikatong_app;
revoke insert, update, delete on event_links, event_heads from yikatong_app;
revoke all on alembic_version from yikatong_app;
