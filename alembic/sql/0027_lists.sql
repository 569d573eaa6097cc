-- Annual lists and publications (第六、八、九条): what has been published stays as it was, for everybody.
select apply_scope('annual_lists', 'downward');
revoke delete on annual_lists from yikatong_app;
select watch_changes('annual_lists');
select apply_scope('annual_list_items', 'downward');
select apply_flow('annual_list_items', 'project_id', 'subsidy_projects');
revoke update on annual_list_items from yikatong_app;
select watch_changes('annual_list_items');
select apply_scope('publications', 'downward');
select apply_flow('publications', 'project_id', 'subsidy_projects');
revoke delete on publications from yikatong_app;
select watch_changes('publications');
create sequence annual_list_numbers;
create sequence publication_numbers;
grant usage on sequence annual_list_numbers, publication_numbers to yikatong_app;

-- A published edition never changes; a later edition follows.
create function guard_annual_lists() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.status <> 'draft' then
            raise exception '项目清单提交后不能删除' using errcode = '42501';
        end if;
        return old;
    end if;
    if old.status in ('published', 'withdrawn') then
        raise exception '项目清单发布后内容不变，增减另发补充清单' using errcode = '42501';
    end if;
    if (new.division_code, new.year, new.edition) is distinct from (old.division_code, old.year, old.edition) then
        raise exception '项目清单的地区、年度和版次不变' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger annual_lists_guarded before update or delete on annual_lists
    for each row execute function guard_annual_lists();
create trigger annual_lists_no_truncate before truncate on annual_lists
    for each statement execute function refuse_change();

-- Items come and go while their edition is a draft, never after: one question for the whole statement.
create function guard_annual_list_items() returns trigger language plpgsql as $$
declare
    fixed boolean;
begin
    if tg_op = 'UPDATE' then
        raise exception '清单项目只能重新选择，不能改写' using errcode = '42501';
    end if;
    select exists (select from changed_items i join annual_lists l on l.id = i.list_id where l.status <> 'draft')
        into fixed;
    if fixed then
        raise exception '项目清单提交后项目不变，增减另发补充清单' using errcode = '42501';
    end if;
    return null;
end $$;
create trigger annual_list_items_inserted after insert on annual_list_items
    referencing new table as changed_items for each statement execute function guard_annual_list_items();
create trigger annual_list_items_deleted after delete on annual_list_items
    referencing old table as changed_items for each statement execute function guard_annual_list_items();
create trigger annual_list_items_fixed before update on annual_list_items
    for each row execute function guard_annual_list_items();
create trigger annual_list_items_no_truncate before truncate on annual_list_items
    for each statement execute function refuse_change();

-- What is published is frozen when it is submitted; it may only be replaced or withdrawn.
create function guard_publications() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception '公开内容不能删除，只能撤下' using errcode = '42501';
    end if;
    if old.status in ('replaced', 'withdrawn', 'discarded') then
        raise exception '已停止公开的内容不变' using errcode = '42501';
    end if;
    if (new.division_code, new.number, new.kind, new.sector, new.project_id, new.list_id, new.year)
        is distinct from (old.division_code, old.number, old.kind, old.sector, old.project_id, old.list_id, old.year)
        or old.status not in ('finance_draft', 'department_draft')
        and (new.content, new.digest, new.title, new.contact, new.telephone, new.source_version)
            is distinct from (old.content, old.digest, old.title, old.contact, old.telephone, old.source_version)
        or old.status in ('finance_shown', 'department_shown')
        and (new.published_on, new.replaces_id) is distinct from (old.published_on, old.replaces_id)
    then
        raise exception '公开内容提交后不能改写，请另拟新稿替换' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger publications_guarded before update or delete on publications
    for each row execute function guard_publications();
create trigger publications_no_truncate before truncate on publications
    for each statement execute function refuse_change();
