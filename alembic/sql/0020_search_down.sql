-- Search of the registry at ten million people: undone.
drop function payments_elsewhere(text[]);
drop function enquiry_persons(text, bytea);
drop function same_person(text);
drop function may_enquire();
drop trigger trail_insert on enquiries;
drop trigger trail_update on enquiries;
drop trigger trail_delete on enquiries;
drop trigger trail_truncate on enquiries;
drop function trail_of_enquiries();
drop function search_people(text, text, text, text, text, text, bigint, integer);
drop trigger villages_begin on households;
drop trigger villages_go_on on households;
drop function villages_follow();
drop index ix_members_name_letters, ix_members_gone, ix_members_unmatched, ix_members_former_id_index,
    ix_members_merged_into;
drop function name_letters(text, text);
