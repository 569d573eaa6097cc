-- Proposals that nobody confirmed never were accounts: they go, before the statuses do.
delete from accounts where status in ('proposed', 'rejected');
alter table accounts add constraint ck_accounts_accountstatus check (status in ('registered', 'verifying', 'verified',
    'refused', 'dormant', 'closed'));
