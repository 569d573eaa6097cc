"""One table of steps per noun, and which table a record follows."""

from models.account_batches import AccountBatch
from models.accounts import Account
from models.allocation_plans import AllocationPlan
from models.annual_lists import AnnualList
from models.applications import Application
from models.bank_batches import BankBatch, Disbursement
from models.bank_replies import BankReply
from models.base import Table
from models.catalogue_tasks import CatalogueTask
from models.clock import CalendarVersion
from models.delegations import Delegation
from models.duty_pairs import DutyPair
from models.failures import Failure, Refund
from models.flows import ProjectFlow
from models.household_reviews import HouseholdReview
from models.local_rules import LocalRule
from models.officers import Post
from models.payment_orders import PaymentOrder
from models.policy_changes import PolicyChange
from models.project_changes import ProjectChange, ProjectException
from models.projects import ProjectStandard
from models.publications import Publication
from models.qualifications import Qualification
from models.registry_changes import RegistryChange
from models.registry_tasks import RegistryTask
from models.rosters import Roster
from models.transfers import Transfer
from models.virtual_members import VirtualMember
from policies.lifecycles.account_batches import ACCOUNT_BATCH_LIFECYCLE
from policies.lifecycles.accounts import ACCOUNT_LIFECYCLE
from policies.lifecycles.allocation_plans import ALLOCATION_PLAN_LIFECYCLE
from policies.lifecycles.annual_lists import ANNUAL_LIST_LIFECYCLE
from policies.lifecycles.applications import APPLICATION_LIFECYCLE, QUALIFICATION_LIFECYCLE
from policies.lifecycles.bank_batches import BANK_BATCH_LIFECYCLE, DISBURSEMENT_LIFECYCLE
from policies.lifecycles.bank_replies import BANK_REPLY_LIFECYCLE
from policies.lifecycles.base import OPINION, PASSWORD, REASON, Ask, Desk, Lifecycle, Step
from policies.lifecycles.calendar import CALENDAR_LIFECYCLE
from policies.lifecycles.catalogue_tasks import CATALOGUE_TASK_LIFECYCLE
from policies.lifecycles.duty_pairs import DUTY_PAIR_LIFECYCLE
from policies.lifecycles.failures import FAILURE_LIFECYCLE, REFUND_LIFECYCLE
from policies.lifecycles.flows import FLOW_LIFECYCLE
from policies.lifecycles.household_reviews import HOUSEHOLD_REVIEW_LIFECYCLE
from policies.lifecycles.local_rules import LOCAL_RULE_LIFECYCLE
from policies.lifecycles.payment_orders import PAYMENT_ORDER_LIFECYCLE
from policies.lifecycles.policy_changes import POLICY_CHANGE_LIFECYCLE
from policies.lifecycles.posts import DELEGATION_LIFECYCLE, POST_LIFECYCLE
from policies.lifecycles.project_changes import PROJECT_CHANGE_LIFECYCLE, PROJECT_EXCEPTION_LIFECYCLE
from policies.lifecycles.publications import PUBLICATION_LIFECYCLE
from policies.lifecycles.registry_changes import REGISTRY_CHANGE_LIFECYCLE
from policies.lifecycles.registry_tasks import REGISTRY_TASK_LIFECYCLE
from policies.lifecycles.rosters import ROSTER_LIFECYCLE
from policies.lifecycles.standards import STANDARD_LIFECYCLE
from policies.lifecycles.transfers import TRANSFER_LIFECYCLE
from policies.lifecycles.virtual_members import VIRTUAL_MEMBER_LIFECYCLE

LIFECYCLES: dict[type[Table], Lifecycle] = {
    Account: ACCOUNT_LIFECYCLE,
    AccountBatch: ACCOUNT_BATCH_LIFECYCLE,
    AllocationPlan: ALLOCATION_PLAN_LIFECYCLE,
    AnnualList: ANNUAL_LIST_LIFECYCLE,
    Application: APPLICATION_LIFECYCLE,
    BankBatch: BANK_BATCH_LIFECYCLE,
    BankReply: BANK_REPLY_LIFECYCLE,
    CalendarVersion: CALENDAR_LIFECYCLE,
    CatalogueTask: CATALOGUE_TASK_LIFECYCLE,
    Delegation: DELEGATION_LIFECYCLE,
    Disbursement: DISBURSEMENT_LIFECYCLE,
    DutyPair: DUTY_PAIR_LIFECYCLE,
    Failure: FAILURE_LIFECYCLE,
    HouseholdReview: HOUSEHOLD_REVIEW_LIFECYCLE,
    LocalRule: LOCAL_RULE_LIFECYCLE,
    PaymentOrder: PAYMENT_ORDER_LIFECYCLE,
    Post: POST_LIFECYCLE,
    ProjectFlow: FLOW_LIFECYCLE,
    PolicyChange: POLICY_CHANGE_LIFECYCLE,
    ProjectChange: PROJECT_CHANGE_LIFECYCLE,
    ProjectException: PROJECT_EXCEPTION_LIFECYCLE,
    ProjectStandard: STANDARD_LIFECYCLE,
    Publication: PUBLICATION_LIFECYCLE,
    Qualification: QUALIFICATION_LIFECYCLE,
    Refund: REFUND_LIFECYCLE,
    RegistryChange: REGISTRY_CHANGE_LIFECYCLE,
    RegistryTask: REGISTRY_TASK_LIFECYCLE,
    Roster: ROSTER_LIFECYCLE,
    Transfer: TRANSFER_LIFECYCLE,
    VirtualMember: VIRTUAL_MEMBER_LIFECYCLE,
}

__all__ = ["LIFECYCLES", "OPINION", "PASSWORD", "REASON", "Ask", "Desk", "Lifecycle", "Step"]
