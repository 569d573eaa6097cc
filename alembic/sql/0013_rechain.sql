-- Every link's hash by the recipe of record_digest, from its predecessor on.
do $rechain$
declare
    link record;
    previous bytea;
    county text := '';
begin
    for link in
        select l.county_code, l.sequence, record_digest(e) as digest
        from event_links l join events e on e.county_code = l.county_code and e.id = l.record_ids[1]
        order by l.county_code, l.sequence
    loop
        previous := sha256(case when link.county_code = county then previous else '\x00' end || link.digest);
        county := link.county_code;
        update event_links l set hash = previous where l.county_code = county and l.sequence = link.sequence;
        update event_heads h set hash = previous, sequence = link.sequence where h.county_code = county;
    end loop;
end
$rechain$;
