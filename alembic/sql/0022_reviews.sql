-- Yearly reviews (第十一条): prepared by one person, signed by another; none is ever deleted.
select apply_scope('household_reviews', 'ranged');
revoke delete on household_reviews from yikatong_app;
select watch_changes('household_reviews');
create sequence household_review_numbers;
grant usage on sequence household_review_numbers to yikatong_app;

-- A signed review says the same for ever, and is signed by two people.
create function guard_household_review() returns trigger language plpgsql as $$
begin
    if current_user <> 'yikatong_app' then
        return new;
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'prepared' then
            raise exception '年度复核须先登记，再签署' using errcode = '42501';
        end if;
        return new;
    end if;
    if old.status in ('signed', 'withdrawn') and new is distinct from old and not (old.status = 'signed'
        and old.signed_at is null and new.status = 'signed' and (new.visited_on, new.finding, new.checked, new.note)
            is not distinct from (old.visited_on, old.finding, old.checked, old.note))
    then
        raise exception '已签署的年度复核不能改写' using errcode = '42501';
    end if;
    return new;
end $$;
create trigger household_reviews_guarded before insert or update on household_reviews
    for each row execute function guard_household_review();

-- Asked at commit: many are signed by one statement, and whoever signs is seated with it.
create function require_two_at_review() returns trigger language plpgsql as $$
begin
    if current_user = 'yikatong_app' and (select count(distinct h.person) from desk_holders h
        where h.noun = 'household_review' and h.record_id = new.id
            and h.desk in ('township_keeper', 'township_head')) < 2
    then
        raise exception '年度复核须由两人办理' using errcode = '42501';
    end if;
    return null;
end $$;
create constraint trigger household_reviews_of_two after update on household_reviews deferrable initially deferred
    for each row when (new.status = 'signed' and old.status <> 'signed') execute function require_two_at_review();

alter table duty_pairs disable trigger duty_pairs_guarded;
insert into duty_pairs (division_code, title, kind, one, other, within, basis, statutory, status, version, arrived_at,
                        proposed_by)
values ('150000000000', '年度复核登记与签署', 'permission', 'household_review:prepare', 'household_review:sign',
        'organisation', '第十一条、第二十三条', true, 'in_force', 1, timestamptz '2024-04-02 00:00+08', '');
alter table duty_pairs enable always trigger duty_pairs_guarded;
