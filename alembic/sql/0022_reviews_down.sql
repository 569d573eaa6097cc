-- Yearly reviews are taken away.
alter table duty_pairs disable trigger duty_pairs_guarded;
delete from duty_pairs where one = 'household_review:prepare' and other = 'household_review:sign';
alter table duty_pairs enable always trigger duty_pairs_guarded;
drop trigger household_reviews_of_two on household_reviews;
drop function require_two_at_review();
drop trigger household_reviews_guarded on household_reviews;
drop function guard_household_review();
drop trigger trail_insert on household_reviews;
drop trigger trail_update on household_reviews;
drop trigger trail_delete on household_reviews;
drop trigger trail_truncate on household_reviews;
drop function trail_of_household_reviews();
drop sequence household_review_numbers;
