-- Identity checks of the registry: undone.
drop index ix_members_checked;
