"""All views, in the order of the menu."""

from typing import Any

from admin.account_batches import AccountBatchView
from admin.accounts import AccountView
from admin.allocation_plans import AllocationFormView, AllocationPlanView
from admin.annual_list_choice import ListChoiceView
from admin.annual_lists import AnnualListView
from admin.application_entry import ApplicationEntryView
from admin.applications import ApplicationView, QualificationNoticeView, QualificationObjectionView
from admin.audit import AuditView, ChainView
from admin.bank_desk import BankFormsView, BankReplyView
from admin.calendar import CalendarVersionView, CalendarView
from admin.catalogue_tasks import CatalogueTaskView
from admin.differences import FailureView, RefundView, StatementView
from admin.duties import DutiesView, DutyPairView
from admin.enquiry import EnquiryView, HouseholdFileView, WindowView
from admin.exchange import ExchangeBatchView, ExchangeBodyView, ExchangeFactView, ExchangeView
from admin.flows import FlowFormView, FlowView
from admin.handover import HandoverView, OwnView, RegistrarsView
from admin.household_reviews import HouseholdReviewView
from admin.households import AssetView, CertificateView, HouseholdView, MemberView
from admin.imports import RosterImportView
from admin.indicator_funds import BudgetLinksView, ProjectFundsView
from admin.indicators import (
    BudgetIndicatorView,
    IndicatorDownloadView,
    IndicatorFaultView,
    UpstreamIndicatorView,
)
from admin.local_rules import LimitsView, LocalRuleView
from admin.money import (
    BankBatchView,
    DisbursementView,
    JournalEntryView,
    PaymentOrderView,
    ResultExceptionView,
)
from admin.money_at_rest import MoneyAtRestView
from admin.oversight import BulletinView, EventView, JobView, RefusalView
from admin.people import DelegationView, OfficerView, OrganisationView, PostView
from admin.policy import PolicyChangeView, PolicyEditionView
from admin.policy_pages import PolicyView, QuestionsView
from admin.project_changes import ProjectChangeView, ProjectExceptionView
from admin.project_form import PolicyDocumentView, ProjectFormView
from admin.projects import SubsidyProjectView
from admin.publications import PublicationView
from admin.qualifications import QualificationView, RosterGenerationView
from admin.registry import RegistryChangeView, RegistryTaskView
from admin.registry_imports import RegistryColumnsView, RegistryImportView
from admin.reveals import KeyRotationView, RevealView
from admin.review_progress import ReviewProgressView
from admin.rosters import NoticeView, ObjectionView, RosterLineView, RosterView, RosterWarningView
from admin.rules import WarningRuleView
from admin.search import PeopleView
from admin.sessions import LoginSessionView, OpenIdentityView
from admin.standards import NoticePeriodView, StandardView
from admin.tools import ToolsView
from admin.virtual import TransferView, VirtualMemberView

VIEWS: tuple[type[Any], ...] = (
    RosterView,
    RosterImportView,
    RosterGenerationView,
    RosterLineView,
    RosterWarningView,
    NoticeView,
    ObjectionView,
    BudgetIndicatorView,
    ProjectFundsView,
    BudgetLinksView,
    MoneyAtRestView,
    AllocationPlanView,
    AllocationFormView,
    UpstreamIndicatorView,
    IndicatorDownloadView,
    IndicatorFaultView,
    PaymentOrderView,
    BankBatchView,
    DisbursementView,
    JournalEntryView,
    FailureView,
    RefundView,
    StatementView,
    ResultExceptionView,
    ApplicationView,
    QualificationNoticeView,
    QualificationObjectionView,
    QualificationView,
    ApplicationEntryView,
    PeopleView,
    WindowView,
    HouseholdView,
    MemberView,
    RegistryChangeView,
    RegistryTaskView,
    RegistryImportView,
    RegistryColumnsView,
    HouseholdReviewView,
    ReviewProgressView,
    AssetView,
    CertificateView,
    AccountView,
    AccountBatchView,
    VirtualMemberView,
    TransferView,
    ExchangeView,
    ExchangeBodyView,
    ExchangeBatchView,
    ExchangeFactView,
    SubsidyProjectView,
    ProjectChangeView,
    ProjectExceptionView,
    ProjectFormView,
    PolicyDocumentView,
    StandardView,
    NoticePeriodView,
    LocalRuleView,
    LimitsView,
    CalendarView,
    CalendarVersionView,
    FlowView,
    FlowFormView,
    AnnualListView,
    ListChoiceView,
    PublicationView,
    CatalogueTaskView,
    WarningRuleView,
    BulletinView,
    EventView,
    RefusalView,
    AuditView,
    ChainView,
    JobView,
    RevealView,
    EnquiryView,
    BankReplyView,
    BankFormsView,
    OwnView,
    OrganisationView,
    OfficerView,
    PostView,
    DelegationView,
    RegistrarsView,
    HandoverView,
    DutyPairView,
    DutiesView,
    PolicyView,
    PolicyChangeView,
    PolicyEditionView,
    QuestionsView,
    LoginSessionView,
    OpenIdentityView,
    KeyRotationView,
    HouseholdFileView,
    ToolsView,
)
