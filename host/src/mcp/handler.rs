//! Each method of the protocol, one after the other. One handler serves one connection or session, or, over HTTP in the new
//! era, one request.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, DiscoverResult,
    ErrorCode, GetSkillRequestParams, GetSkillResult, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceDirectoryRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ServerCapabilities, ServerConfig, SubscriptionFilter,
    Tool,
};
use rmcp::service::{NotificationContext, RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler};
use serde_json::json;
use soulbound_runtime::skill::asks_for_headers;
use soulbound_runtime::{Denial, DenialId, visible};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::gateway::offer::{Offer, OfferedTool};
use crate::gateway::request::{CallRequest, ProgressSink};
use crate::mcp::held::{self, Held};
use crate::mcp::served::Served;
use crate::mcp::skills::Catalog;
use crate::mcp::{about, answer, changes, page, progress, tools};
use crate::oversight::form::Form;

/// How long a client may hold a list without asking again. A change is announced; this is for those who do not listen.
const FRESH_MILLISECONDS: u64 = 5_000;
/// Calls that one connection or session may have under way. The sandbox queues them; this bounds the queue.
const IN_FLIGHT: usize = 64;
/// Our error for a request that was refused as a whole. The id of the denial stands in its data.
pub(crate) const REFUSED: ErrorCode = ErrorCode(-32_010);

/// Serves one agent to one client.
pub(crate) struct Handler<S> {
    agent: Arc<S>,
    door: &'static str,
    in_flight: Semaphore,
    over: CancellationToken,
    /// Ends what the handler has started, with the handler.
    _end: DropGuard,
}

impl<S: Served> Handler<S> {
    /// A handler behind this door (`mcp-http`, `mcp-stdio`).
    pub(crate) fn new(agent: Arc<S>, door: &'static str) -> Self {
        let over = CancellationToken::new();
        Self { agent, door, in_flight: Semaphore::new(IN_FLIGHT), _end: over.clone().drop_guard(), over }
    }

    async fn offer(&self) -> Result<Arc<Offer>, ErrorData> {
        self.agent.offer().await.map_err(|denial| as_error(&denial))
    }

    async fn catalog(&self) -> Result<Catalog, ErrorData> {
        let (offer, agent) = (self.offer().await?, Arc::clone(&self.agent));
        // The store is a disk.
        tokio::task::spawn_blocking(move || Catalog::of(&*agent, &offer)).await.map_err(internal)
    }

    async fn instructions(&self) -> String {
        let offer = self.agent.offer().await;
        about::instructions(&self.agent.title(), offer.as_deref())
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Err(ErrorData::new(REFUSED, format!("busy: {IN_FLIGHT} calls are under way here"), None));
        };
        let mut offer = match self.agent.glance().await {
            Ok(offer) => offer,
            Err(denial) => return Ok(answer::refused(&denial).into()),
        };
        // What a glance does not show may be there by now: an operator has trusted it, or put it back.
        let is_there = |offer: &Offer| offer.tools.iter().any(|tool| tool.name == request.name);
        if !is_there(&offer)
            && let Ok(fresh) = self.agent.offer().await
        {
            offer = fresh;
        }
        let Some(offered) = offer.tools.iter().find(|tool| tool.name == request.name) else {
            // What a model tries stands in the trail, also when it is nothing of this agent's.
            let arguments = request.arguments.unwrap_or_default();
            let answer = self.agent.unknown(&request.name, arguments, self.door).await;
            return match answer.outcome.denial() {
                // A tool of a skill that may not run now is no unknown one: it waits for an operator.
                Some(denial) if denial.id != DenialId::SkillNotListed => {
                    let result = answer::refused(denial);
                    Ok(answer::on_record(result, answer.record).into())
                }
                _ => {
                    let name = self.agent.quoted(&request.name);
                    Err(ErrorData::invalid_params(format!("unknown tool {name}"), None))
                }
            };
        };
        let held = self.agent.held().filter(|_| held::has_forms(&context));
        let call = |sink| async {
            match &held {
                Some(held) if held::is_stateless(&context) => {
                    self.call_held(held, offered, &request, &context, sink).await
                }
                _ => {
                    let form = held.as_ref().map(|_| self.asking(&context));
                    let asked = self.request(offered, &request, sink, form, context.ct.clone());
                    answer::told(&offered.tool, self.agent.call(asked).await).into()
                }
            }
        };
        Ok(match context.meta.get_progress_token() {
            Some(token) => progress::reporting(&context.peer, token, |sink| call(Some(sink))).await,
            None => call(None).await,
        })
    }

    fn request(
        &self,
        offered: &OfferedTool,
        request: &CallToolRequestParams,
        progress: Option<ProgressSink>,
        form: Option<Arc<dyn Form>>,
        cancel: CancellationToken,
    ) -> CallRequest {
        CallRequest {
            skill: offered.skill.name.clone(),
            tool: offered.tool.name.clone(),
            arguments: request.arguments.clone().unwrap_or_default(),
            door: self.door,
            progress,
            form,
            waits: None,
            cancel,
        }
    }

    /// Asks a client of the older era while its call is open.
    fn asking(&self, context: &RequestContext<RoleServer>) -> Arc<dyn Form> {
        Arc::new(held::Asking {
            agent: Arc::clone(&self.agent),
            peer: context.peer.clone(),
            who: held::who(context),
            threads: tokio::runtime::Handle::current(),
        })
    }

    /// A call whose client comes back with a decision: begun, or gone on with.
    async fn call_held(
        &self,
        held: &Arc<Held>,
        offered: &OfferedTool,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
        progress: Option<ProgressSink>,
    ) -> CallToolResponse {
        let arguments = request.arguments.clone().unwrap_or_default();
        let bound = held::context(&self.agent.title(), &request.name, &arguments);
        let mut call = match &request.request_state {
            Some(state) => {
                let Some((id, call)) = held.take(state, &bound) else {
                    let why = "this decision is for another call, was used, or came too late";
                    let denial = Denial::new(DenialId::ApprovalDenied, why);
                    // Recorded as what it is: somebody decides about what does not wait.
                    let _ = self.agent.decide("", false, &held::who(context));
                    return answer::refused(&denial).into();
                };
                if let Some(approve) = held::decision(request.input_responses.as_ref())
                    && let Err(error) = self.agent.decide(&id, approve, &held::who(context))
                {
                    // Somebody else was first: what they decided is what comes of the call.
                    tracing::info!(error = format!("{error:#}"), "a client's decision came too late");
                }
                call
            }
            None => {
                let cancel = CancellationToken::new();
                let (tell, asked) = tokio::sync::mpsc::unbounded_channel();
                let form: Arc<dyn Form> = Arc::new(held::Questions(tell));
                let guard = cancel.clone().drop_guard();
                let made = self.request(offered, request, progress, Some(form), cancel);
                let agent = Arc::clone(&self.agent);
                let answer = tokio::spawn(async move { agent.call(made).await });
                held::HeldCall { answer, asked, _guard: guard }
            }
        };
        tokio::select! {
            biased;
            answer = &mut call.answer => match answer {
                Ok(answer) => answer::told(&offered.tool, answer).into(),
                Err(error) => answer::refused(&Denial::new(DenialId::GuestTrap, internal(error).message)).into(),
            },
            Some(asked) = call.asked.recv() => match held.keep(asked, &bound, call) {
                Ok(form) => form.into(),
                Err(_) => {
                    let why = "too many calls wait for the client already";
                    answer::refused(&Denial::new(DenialId::ApprovalTooMany, why)).into()
                }
            },
            // The call ends with its guard.
            () = context.ct.cancelled() => answer::refused(&Denial::new(DenialId::Busy, "the client cancelled it")).into(),
        }
    }
}

/// A refusal of the whole request.
fn as_error(denial: &Denial) -> ErrorData {
    ErrorData::new(REFUSED, denial.first_line(), Some(json!({ "id": denial.id })))
}

/// Something that is not ours to give.
fn not_there(kind: &str, uri: &str) -> ErrorData {
    ErrorData::invalid_params(format!("no {kind} {}", visible::quoted_target(uri)), None)
}

/// A resource that is not ours to give, as the protocol's own error.
fn not_found(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(not_there("resource", uri).message, Some(json!({ "uri": uri })))
}

/// What went wrong on our side. The client cannot do anything about it, and learns no more.
fn internal(error: impl std::fmt::Display) -> ErrorData {
    tracing::error!(error = format!("{error:#}"), "a request failed");
    ErrorData::internal_error("the gateway could not read it; its log says why", None)
}

/// A page of resources.
fn resources(
    all: &[Resource],
    request: Option<&PaginatedRequestParams>,
) -> Result<ListResourcesResult, ErrorData> {
    let (resources, next) = page::page(all, |resource| &resource.uri, request)?;
    let mut result = ListResourcesResult::with_all_items(resources.to_vec());
    result.next_cursor = next;
    result.ttl_ms = Some(FRESH_MILLISECONDS);
    Ok(result)
}

impl<S: Served> ServerHandler for Handler<S> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_skills_with_directory_read()
            .build();
        let this = Implementation::new("soulbound", env!("CARGO_PKG_VERSION")).with_title(self.agent.title());
        InitializeResult::new(capabilities).with_server_info(this)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let info = self.negotiate_initialize(&request)?.with_instructions(self.instructions().await);
        context.peer.set_peer_info(request);
        Ok(info)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let info = self.get_info().with_instructions(self.instructions().await);
        let mut result = DiscoverResult::from_server_info(versions, info);
        result.ttl_ms = FRESH_MILLISECONDS;
        Ok(result)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        changes::announce(&self.agent, context.peer, self.over.clone());
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let offer = self.offer().await?;
        let (tools, next) = page::page(&offer.tools, |tool| &tool.name, request.as_ref())?;
        let mut result = ListToolsResult::with_all_items(tools.iter().map(tools::listed).collect());
        result.next_cursor = next;
        result.ttl_ms = Some(FRESH_MILLISECONDS);
        Ok(result)
    }

    /// What `rmcp` holds the headers `Mcp-Param-*` of a call against. Other tools need not be made up for it.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        let offer = self.agent.seen()?;
        let offered = offer.tools.iter().find(|tool| tool.name == name)?;
        asks_for_headers(&offered.tool.input_schema).then(|| tools::listed(offered))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(request, context).await
    }

    async fn list_skills(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListSkillsResult, ErrorData> {
        let catalog = self.catalog().await?;
        let (skills, next) = page::page(&catalog.skills, |skill| &skill.uri, request.as_ref())?;
        let mut result = ListSkillsResult::with_all_items(skills.to_vec());
        result.next_cursor = next;
        result.ttl_ms = Some(FRESH_MILLISECONDS);
        Ok(result)
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetSkillResult, ErrorData> {
        let catalog = self.catalog().await?;
        let skill = catalog.skill(&request.uri).ok_or_else(|| not_there("skill", &request.uri))?;
        Ok(GetSkillResult::new(skill.clone()).with_ttl_ms(FRESH_MILLISECONDS))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources(&self.catalog().await?.resources(), request.as_ref())
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let children = self.catalog().await?.directory(&request.uri);
        let children = children.ok_or_else(|| not_there("directory", &request.uri))?;
        resources(&children, Some(&PaginatedRequestParams::default().with_cursor(request.cursor)))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (catalog, agent) = (self.catalog().await?, Arc::clone(&self.agent));
        let uri = request.uri;
        // The store is a disk.
        let read =
            tokio::task::spawn_blocking(move || catalog.read(&*agent, &uri).ok_or_else(|| not_found(&uri)));
        let contents = read.await.map_err(internal)??.map_err(internal)?;
        Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(FRESH_MILLISECONDS).into())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(changes::accepted(requested))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        changes::listen(&*self.agent, context).await;
        Ok(())
    }

    // What is not offered is not there: `rmcp` would answer these with empty lists.

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<rmcp::model::ListPromptsRequestMethod>())
    }

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<rmcp::model::CompleteRequestMethod>())
    }
}
