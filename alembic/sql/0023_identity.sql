-- Whose answer of the police is missing or old is found by its date, at ten million people too (第三十三条第一项).
create index ix_members_checked on members (identity_checked_at) where current;
