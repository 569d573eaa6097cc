-- The step's seat and event go by the tables again.
drop function seat_and_tell(text, text, text, bigint, text, text, text, bigint, text, text, text, text, text, text, jsonb,
    timestamptz);
