-- The project library (第二、七、九条): nothing of it is written but by a change that has gone its whole way, in the very
-- transaction in which the change becomes effective.
select apply_scope('project_changes', 'ranged');
select apply_sector('project_changes');
select apply_flow('project_changes', 'project_id', 'subsidy_projects');
revoke delete on project_changes from yikatong_app;
select watch_changes('project_changes');
select apply_scope('policy_documents', 'downward');
select apply_sector('policy_documents');
select apply_flow('policy_documents', 'project_id', 'subsidy_projects');
revoke update, delete on policy_documents from yikatong_app;
select watch_changes('policy_documents');
select apply_scope('project_exceptions', 'downward');
revoke delete on project_exceptions from yikatong_app;
select watch_changes('project_exceptions');

-- Which of these codes the library has, whoever owns them: a code is one project's for ever, and exclusions name codes of
-- other departments. Codes and names are public (第八条).
create function project_names(codes text[]) returns table (code text, name text)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select p.code, p.name from subsidy_projects p
    where p.code = any (project_names.codes) and (session_user <> 'yikatong_app' or (select ticket()) is not null)
$$;

-- The file of a policy document in the library: whoever is at work may read it, the public too (第八条).
create function policy_file(document bigint) returns table (name text, media_type text, content bytea)
    language sql stable security definer set search_path = pg_catalog, public, pg_temp as $$
    select d.file_name, f.media_type, f.content from policy_documents d join stored_files f on f.id = d.file_id
    where d.id = policy_file.document and (session_user <> 'yikatong_app' or (select ticket()) is not null)
$$;
revoke execute on function project_names(text[]), policy_file(bigint) from public;
grant execute on function project_names(text[]), policy_file(bigint) to yikatong_app;

-- A change is filled in as a draft, says the same from its submission on, and becomes effective only when every desk of
-- its way has held it.
create function guard_project_changes() returns trigger language plpgsql as $$
declare
    needed text[];
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status not in ('draft', 'local_draft') or new.applied_in <> '' then
            raise exception '项目申请须先填写，再逐级办理' using errcode = '42501';
        end if;
        return new;
    end if;
    if (new.division_code, new.owner_code, new.number, new.kind, new.policy_level, new.sector)
            is distinct from (old.division_code, old.owner_code, old.number, old.kind, old.policy_level, old.sector)
        or old.status not in ('draft', 'local_draft')
        and ((new.code, new.name, new.base_version, new.sheet, new.definition, new.digest, new.reason, new.effective_on,
                new.document_count)
                is distinct from (old.code, old.name, old.base_version, old.sheet, old.definition, old.digest,
                old.reason, old.effective_on, old.document_count)
            or new.project_id is distinct from old.project_id
                and (old.project_id is not null or new.status <> 'effective'))
    then
        raise exception '已提交的项目申请不能改写' using errcode = '42501';
    end if;
    new.applied_in := old.applied_in;
    if new.status = 'effective' and old.status in ('examined', 'filing') then
        needed := case old.status when 'examined' then
            array['region_department_clerk', 'region_department_reviewer']
            else array['department_clerk', 'department_reviewer', 'finance_reviewer', 'league_department_reviewer'] end
            || array['region_finance_clerk', 'region_finance_reviewer'];
        if old.status = 'filing' and not exists (select from divisions d
            where d.code = new.division_code and d.region_direct_finance)
        then
            needed := needed || 'league_finance_reviewer'::text;
        end if;
        if (select count(distinct h.desk) from desk_holders h where h.noun = 'project_change' and h.record_id = new.id
            and h.desk = any (needed)) < cardinality(needed)
        then
            raise exception '项目申请尚未经过全部岗位' using errcode = '42501';
        end if;
        new.applied_in := pg_current_xact_id()::text;
    elsif new.status = 'effective' and old.status <> 'effective' then
        raise exception '项目申请须逐级办理' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger project_changes_guarded before insert or update on project_changes
    for each row execute function guard_project_changes();

-- What the application writes into the library is what a change that becomes effective now says, to the letter.
create function guard_library() returns trigger language plpgsql as $$
declare
    c project_changes;
begin
    if current_user <> 'yikatong_app' then
        return coalesce(new, old);
    end if;
    if tg_op <> 'DELETE' then
        select x.* into c from project_changes x
        where x.applied_in = pg_current_xact_id()::text and x.applied_in <> '' and x.status = 'effective'
            and x.code = case tg_table_name when 'subsidy_projects' then to_jsonb(new)->>'code'
                else (select p.code from subsidy_projects p where p.id = (to_jsonb(new)->>'project_id')::bigint) end;
    end if;
    if c.id is null or new.division_code <> c.owner_code then
        raise exception '项目库不能直接修改，须经项目申请办理' using errcode = '42501';
    end if;
    if tg_table_name = 'subsidy_projects' then
        if c.kind = 'stop' then
            if to_jsonb(new) - '{status,stopped_on}'::text[] <> to_jsonb(old) - '{status,stopped_on}'::text[]
                or new.status <> 'stopped' or new.stopped_on is distinct from c.effective_on
            then
                raise exception '停用申请只能停用项目' using errcode = '42501';
            end if;
        elsif new.definition <> c.definition or new.status <> 'admitted'
            or new.project_version <> c.base_version + 1
        then
            raise exception '项目库的内容须与已办理的申请一致' using errcode = '42501';
        end if;
    elsif tg_table_name = 'project_versions' then
        if c.kind = 'stop' or new.definition <> c.definition or new.digest <> c.digest
            or new.number <> c.base_version + 1 or new.basis <> c.number
        then
            raise exception '项目版本须与已办理的申请一致' using errcode = '42501';
        end if;
    end if;
    return new;
end $$;
create trigger subsidy_projects_guarded before insert or update or delete on subsidy_projects
    for each row execute function guard_library();
create trigger project_versions_guarded before insert or update or delete on project_versions
    for each row execute function guard_library();
create trigger policy_documents_guarded before insert or update or delete on policy_documents
    for each row execute function guard_library();

-- An exception counts when two people have agreed; what it says doesn't change after that.
create function guard_project_exceptions() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'proposed' then
            raise exception '不纳入项目须先登记，再复核' using errcode = '42501';
        end if;
    elsif old.status not in ('proposed', 'returned') and (new.name, new.policy_level, new.sector, new.reason,
        new.document_number, new.document_title, new.document_issuer, new.issued_on, new.valid_to)
        is distinct from (old.name, old.policy_level, old.sector, old.reason, old.document_number, old.document_title,
        old.document_issuer, old.issued_on, old.valid_to)
    then
        raise exception '已复核的登记不能改写' using errcode = '42501';
    elsif new.status in ('confirmed', 'ended') and old.status <> new.status and (select count(distinct h.person)
        from desk_holders h where h.noun = 'project_exception' and h.record_id = new.id) < 2
    then
        raise exception '登记须由两人办理' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger project_exceptions_guarded before insert or update on project_exceptions
    for each row execute function guard_project_exceptions();
