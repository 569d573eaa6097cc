-- A proposed account is nobody's payment account, nor is one that was never agreed to. （第十二条）
alter table accounts add constraint ck_accounts_accountstatus check (status in ('proposed', 'rejected', 'registered',
    'verifying', 'verified', 'refused', 'dormant', 'closed'));
alter table accounts add constraint ck_accounts_payment
    check (not is_payment or status not in ('proposed', 'rejected'));
