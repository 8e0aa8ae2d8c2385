"""What servers say when they do not answer, by kind, as they say it: what becomes of it and what the user is told."""

# ruff: noqa: E501 - a sentence of a server stands on one line

import json
import re

import pytest

from parley.core.calls import Place, RunPaused
from parley.core.errors import BadInput
from parley.models.calling import Request
from parley.models.endpoint import KEPT
from parley.models.failures import Failure, Overflow, Refused, Unusable
from parley.models.network import connections, proxy_for
from parley.models.providers import environment, server
from parley.models.wordings import too_long
from tests.wire import KEY, Wire, chat, error

HTML = b"<!DOCTYPE html><html><head><title>Sign in &middot; Wifi</title></head><body>B</body></html>"
SSE = b'data: {"choices":[{"delta":{"content":"B"}}]}\n\ndata: [DONE]\n\n'
CLOUDFLARE = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"

# Prompts that do not fit, in each server's wording, with the limit and the prompt's tokens where it tells them.
TOO_LONG = [
    ("vLLM", 400, error("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4968 in the messages, 32 in the completion). Please reduce the length of the messages or completion."), 4096, 4968),
    ("vLLM, newer", 400, error("This model's maximum context length is 512 tokens. However, your request has 600 input tokens. Please reduce the length of the input messages.", type="BadRequestError", code=400), 512, 600),
    ("vLLM, answer", 400, error("'max_tokens' or 'max_completion_tokens' is too large: 2048. This model's maximum context length is 512 tokens and your request has 100 input tokens (2048 > 512 - 100)."), 512, 100),
    ("vLLM, old", 400, {"object": "error", "message": "The decoder prompt (length 600) is longer than the maximum model length of 512.", "code": 400}, 512, 600),
    ("llama.cpp", 400, error("the request exceeds the available context size (512 tokens), try increasing it", type="exceed_context_size_error", n_ctx=512), 512, 0),
    ("llama.cpp, newer", 400, error("request (601 tokens) exceeds the available context size (512 tokens), try increasing it", n_prompt_tokens=601, n_ctx=512), 512, 601),
    ("llama.cpp, 500", 500, error("context size exceeded", code=500), 0, 0),
    ("TGI", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens and 100 `max_new_tokens`", "error_type": "validation"}, 2048, 2000),
    ("TGI, inputs", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1200", "error_type": "validation"}, 1024, 1200),
    ("SGLang", 400, {"object": "error", "message": "The input (600 tokens) is longer than the model's context length (512 tokens).", "type": "BadRequestError", "code": 400}, 512, 600),
    ("SGLang, total", 400, error("Requested token count exceeds the model's maximum context length of 512 tokens. You requested a total of 600 tokens: 500 tokens from the input messages and 100 tokens for the completion."), 512, 500),
    ("SGLang, length", 400, error("Input length (600 tokens) exceeds the maximum allowed length (512 tokens). Use a shorter input or enable --allow-auto-truncate."), 512, 600),
    ("Ollama", 400, {"error": "the input length exceeds the context length"}, 0, 0),
    ("Ollama, 500", 500, error("input length exceeds maximum context length"), 0, 0),
    ("LM Studio", 400, {"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}, 4096, 0),
    ("LM Studio, keep", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length. Try to load the model with a larger context length, or provide a shorter input"}, 0, 0),
    ("OpenAI", 400, error("This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens.", code="context_length_exceeded", type="invalid_request_error"), 8192, 10000),
    ("OpenAI, window", 400, error("Your input exceeds the context window of this model. Please adjust your input and try again.", code="context_length_exceeded"), 0, 0),
    ("OpenAI, per minute", 429, error("Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 42000. The input or output tokens must be reduced in order to run successfully.", code="rate_limit_exceeded"), 30000, 42000),
    ("Azure", 400, error("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.", code="context_length_exceeded"), 272000, 300000),
    ("Anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 208310 tokens > 200000 maximum"}}, 200000, 208310),
    ("Anthropic, sum", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again"}}, 200000, 190000),
    ("Groq", 400, error("Please reduce the length of the messages or completion.", code="context_length_exceeded"), 0, 0),
    ("Groq, 413", 413, error("Request too large for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Requested 7000, please reduce your message size and try again.", code="rate_limit_exceeded"), 6000, 7000),
    ("GLM", 400, error("Prompt exceeds max length", code="1261"), 0, 0),
    ("GLM, Chinese", 400, error("Prompt 超长", code="1261"), 0, 0),
    ("Gemini", 400, [{"error": {"code": 400, "message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", "status": "INVALID_ARGUMENT"}}], 1048576, 1200000),
    ("Mistral", 400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "type": "invalid_request_error", "code": "3051"}, 32768, 40000),
    ("Cohere", 400, {"message": "too many tokens: size limit exceeded by 200 tokens. Try using shorter or fewer inputs."}, 0, 0),
    ("xAI", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens."}, 131072, 537812),
    ("Bedrock", 400, {"message": "Input is too long for requested model."}, 0, 0),
    ("OpenRouter", 400, error("This endpoint's maximum context length is 4096 tokens. However, you requested about 5000 tokens (4900 of text input, 100 in the output).", code=400), 4096, 4900),
    ("MiniMax", 400, error("invalid params, context window exceeds limit (2013)"), 2013, 0),
    ("Moonshot", 400, error("Invalid request: Your request exceeded model token limit: 8192", type="invalid_request_error"), 8192, 0),
    ("DashScope", 400, {"code": "InvalidParameter", "message": "Range of input length should be [1, 30720]", "request_id": "x"}, 30720, 0),
    ("Copilot", 400, error("prompt token count of 1234 exceeds the limit of 1000", code="model_max_prompt_tokens_exceeded"), 1000, 1234),
    ("nginx", 413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", 0, 0),
    ("in a 200", 200, error("the request exceeds the available context size (512 tokens), try increasing it", code=400), 512, 0),
    ("vllm 0.9 VLLMValidationError, other", 400, error("This model's maximum context length is 2048 tokens. However, you requested 64 output tokens and your prompt contains at least 1985 input tokens, for a total of at least 2049 tokens. Please reduce the length of the input prompt or the number of requested output tokens. (parameter=input_tokens, value=1985)", type="BadRequestError", param="input_tokens", code=400), 2048, 1985),
    ("vllm completion prompt, other", 400, error("The prompt (total length 600) is longer than the maximum model length of 512. Make sure that `max_model_len` is no smaller than the number of text tokens.", code=400), 512, 600),
    ("vllm decoder, other", 400, error("The decoder prompt (length 600) is longer than the maximum model length of 512. Make sure that `max_model_len` is no smaller than the number of text tokens.", code=400), 512, 600),
    ("llama.cpp n_keep, other", 500, error("the request exceeds the available context size. try increasing the context size or enable context shift", code=500, type="server_error"), 0, 0),
    ("llama.cpp input too large, other", 500, error("input (5000 tokens) is too large to process. increase the physical batch size (current batch size: 512)", code=500, type="server_error"), 0, 5000),
    ("llama-cpp-python, other", 400, error("This model's maximum context length is 2048 tokens. However, you requested 3000 tokens (2900 in the messages, 100 in the completion). Please reduce the length of the messages or completion.", code="context_length_exceeded"), 2048, 2900),
    ("llama-cpp-python value, other", 500, error("Requested tokens (3001) exceed context window of 2048", type="internal_server_error"), 2048, 3001),
    ("ollama truncating, other", 400, {"error": "input length exceeds maximum context length"}, 0, 0),
    ("lmstudio reached, other", 400, {"error": "Reached context length of 4096 tokens with model (arch: llama) that does not currently support mid-generation context overflow. Try reloading with a larger context length or shortening the prompt/chat."}, 4096, 0),
    ("lmstudio 2025, other", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5024>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."}, 4096, 0),
    ("sglang, other", 400, {"object": "error", "message": "The input (9000 tokens) is longer than the model's context length (8192 tokens).", "type": "BadRequestError", "param": None, "code": 400}, 8192, 9000),
    ("tgi v3, other", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4050 `inputs` tokens and 100 `max_new_tokens`", "error_type": "validation"}, 4096, 4050),
    ("tgi truncate, other", 413, {"error": "Failed to buffer the request body: length limit exceeded", "type": "payload"}, 0, 0),
    ("openai responses, other", 400, error("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300100 tokens. Please reduce the length of the messages.", code="context_length_exceeded", param="messages"), 272000, 300100),
    ("openai string, other", 400, error("Invalid 'messages[1].content': string too long. Expected a string with maximum length 10485760, but got a string with length 20000000 instead.", code="string_above_max_length"), 10485760, 0),
    ("anthropic, other", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 215000 tokens > 199999 maximum"}}, 199999, 215000),
    ("anthropic 413, other", 413, {"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}}, 0, 0),
    ("bedrock, other", 400, {"message": "The model returned the following errors: Input is too long for requested model."}, 0, 0),
    ("groq, other", 413, error("Request too large for model `llama-3.3-70b-versatile` in organization `o` service tier `on_demand` on tokens per minute (TPM): Limit 12000, Requested 15000, please reduce your message size and try again.", type="tokens", code="rate_limit_exceeded"), 12000, 15000),
    ("together, other", 422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 512 `max_new_tokens`", type="invalid_request_error"), 8193, 9000),
    ("fireworks, other", 400, error("The prompt is too long: 140000, model maximum context length: 131071", type="invalid_request_error"), 131071, 140000),
    ("deepseek, other", 400, error("This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (69000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.", code="invalid_request_error"), 65536, 69000),
    ("mistral, other", 400, {"object": "error", "message": "Prompt contains 140000 tokens and 0 draft tokens, too large for model with 131072 maximum context length", "type": "invalid_request_prompt", "param": None, "code": "3051"}, 131072, 140000),
    ("gemini openai, other", 400, [{"error": {"code": 400, "message": "The input token count exceeds the maximum number of tokens allowed 1048575.", "status": "INVALID_ARGUMENT"}}], 1048575, 0),
    ("cohere v2, other", 400, {"id": "x", "message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt, or enabling prompt truncating. See https://docs.cohere.com/reference/generate for more details."}, 4081, 5000),
    ("glm, other", 400, error("Prompt 超过最大长度限制", code="1261"), 0, 0),
    ("qwen, other", 400, error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]", code="invalid_parameter_error"), 129024, 0),
    ("moonshot, other", 400, error("Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)", type="invalid_request_error"), 131072, 140000),
    ("openrouter, other", 400, error("This endpoint's maximum context length is 163840 tokens. However, you requested about 200000 tokens (190000 of text input, 10000 in the output). Please reduce the length of either one, or use the \"middle-out\" transform to compress your prompt automatically.", code=400), 163840, 190000),
    ("cerebras, other", 400, {"message": "Please reduce the length of the messages or completion. Current length is 9001 while limit is 8192", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}, 8192, 9001),
    ("sambanova, other", 400, error("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the prompt. Please reduce the length."), 4096, 5000),
    ("nvidia nim, other", 400, {"type": "urn:inference-service:problem-details:bad-request", "title": "Bad Request", "status": 400, "detail": "Inference error: ValueError: Input length 9000 exceeds maximum model length 8192"}, 8192, 9000),
    ("exllama/tabby, other", 400, {"detail": "Prompt length 5000 is greater than max_seq_len 4096"}, 4096, 5000),
    ("mlx, other", 400, {"error": "Prompt exceeds model context window"}, 0, 0),
    ("aphrodite, other", 400, {"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4900 in the prompt; 100 for the completion)."}, 4096, 4900),
    ("xai, other", 400, {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 150000 tokens."}, 131072, 150000),
    ("github, other", 413, error("Request body too large for gpt-4o model. Max size: 8000 tokens.", code="tokens_limit_reached"), 8000, 0),
    ("watsonx, other", 400, {"errors": [{"code": "invalid_input_argument", "message": "Invalid input argument for Model 'x': the number of input tokens 9000 cannot exceed the total tokens limit 8192 for this model"}]}, 8192, 9000),
    ("databricks, other", 400, {"error_code": "BAD_REQUEST", "message": "{\"error\":\"prompt is too long\"}"}, 0, 0),
    ("200 err code str", 200, error("x", code="context_length_exceeded"), 0, 0),
    ("parley serve", 400, error("a prompt of 600 tokens is longer than this model's 512", code="context_length_exceeded"), 512, 600),
]  # fmt: skip

# Everything else: status, body, the outcome, what the user reads, and whether it is tried again, or pauses a run.
AGAIN, NEVER, PAUSES = "again", "never", "pauses"
REPLIES = [
    (429, error("Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500. Please try again in 1ms."), "rate limit (429)", "Rate limit reached", AGAIN),
    (429, error("Too Many Requests"), "rate limit (429)", "Too Many Requests", AGAIN),
    (429, {"error": {"code": "1302", "message": "您的账户已达到速率限制"}}, "rate limit (429)", "速率限制", AGAIN),
    (429, {"detail": "Rate limited"}, "rate limit (429)", "Rate limited", AGAIN),
    (429, error("You exceeded your current quota, please check your plan and billing details.", code="insufficient_quota"), "quota used up (429)", "check your plan", PAUSES),
    (429, error("Insufficient account balance", code="1113"), "rate limit (429)", "Insufficient account balance", AGAIN),
    (429, error("余额不足或无可用资源包,请充值。", code="1113"), "quota used up (429)", "余额不足", PAUSES),
    (402, error("Insufficient credits. Add more using https://openrouter.ai/credits", code=402), "quota used up (402)", "Insufficient credits", PAUSES),
    (402, error("Insufficient Balance"), "quota used up (402)", "Insufficient Balance", PAUSES),
    (403, error("Your credit balance is too low to access the API."), "quota used up (403)", "credit balance", PAUSES),
    (401, error("Incorrect API key provided: " + KEY, code="invalid_api_key"), "bad key (401)", "Incorrect API key provided: [key]", NEVER),
    (401, {"message": "Unauthorized"}, "bad key (401)", "Unauthorized", NEVER),
    (403, error("Country, region, or territory not supported"), "not allowed (403)", "territory not supported", NEVER),
    (403, HTML, "not allowed (403)", "a web page: 'Sign in · Wifi'", NEVER),
    (404, error("The model `m` does not exist or you do not have access to it.", code="model_not_found"), "not found (404)", "does not exist", NEVER),
    (404, {"detail": "Not Found"}, "not found (404)", "Not Found", NEVER),
    (404, {"error": "model 'm' not found, try pulling it first"}, "not found (404)", "try pulling it first", NEVER),
    (404, b"404 page not found", "not found (404)", "404 page not found", NEVER),
    (404, b"", "not found (404)", "", NEVER),
    (405, {"detail": "Method Not Allowed"}, "refused (405)", "Method Not Allowed", NEVER),
    (400, error("Assistant message must have either content or tool_calls, but not none."), "refused (400)", "Assistant message", NEVER),
    (400, {"error": "invalid request"}, "refused (400)", "invalid request", NEVER),
    (400, {"errors": [{"message": "bad schema"}]}, "refused (400)", "bad schema", NEVER),
    (400, {"error": {"error": {"message": "nested"}}}, "refused (400)", "nested", NEVER),
    (400, error("Provider returned error", metadata={"raw": "upstream says no"}), "refused (400)", "upstream says no", NEVER),
    (400, error("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", code="content_filter"), "filtered (400)", "content management policy", NEVER),
    (400, {"error": {"code": "1301", "message": "系统检测到输入或生成内容可能包含不安全或敏感内容"}}, "filtered (400)", "敏感内容", NEVER),
    (400, error("Input data may contain inappropriate content.", code="data_inspection_failed"), "filtered (400)", "inappropriate", NEVER),
    (422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}]}, "refused (422)", "body.seed: Extra inputs are not permitted", NEVER),
    (422, {"detail": "Unprocessable"}, "refused (422)", "Unprocessable", NEVER),
    (500, error("Internal server error"), "server error (500)", "Internal server error", AGAIN),
    (500, b"Internal Server Error", "server error (500)", "Internal Server Error", AGAIN),
    (502, CLOUDFLARE, "server error (502)", "a web page: '502 Bad Gateway'", AGAIN),
    (503, error("Loading model", type="unavailable_error", code=503), "loading the model (503)", "Loading model", AGAIN),
    (503, {"error": "Model m is currently loading", "estimated_time": 20.0}, "loading the model (503)", "currently loading", AGAIN),
    (503, {"detail": "model is not ready"}, "loading the model (503)", "not ready", AGAIN),
    (503, error("The server is overloaded"), "server error (503)", "overloaded", AGAIN),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "server error (529)", "Overloaded", AGAIN),
    (408, b"", "refused (408)", "", AGAIN),
    (307, b"", "redirect (307)", "it sends elsewhere: http://elsewhere/", NEVER),
    (200, error("Insufficient credits", code=402), "quota used up (402)", "Insufficient credits", PAUSES),
    (200, error("Rate limit exceeded: free-models-per-day", code=429), "rate limit (429)", "free-models-per-day", AGAIN),
    (200, error("Rate limit exceeded", code="rate_limit_exceeded"), "rate limit (429)", "Rate limit exceeded", AGAIN),
    (200, error("Invalid API key", code="invalid_api_key"), "bad key (401)", "Invalid API key", NEVER),
    (200, error("No such model: m"), "not found (404)", "No such model", NEVER),
    (200, error("Upstream error", code=502), "server error (502)", "Upstream error", AGAIN),
    (200, {"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}, "error in the answer", "Unexpected endpoint", AGAIN),
    (200, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, "not found (404)", "does not exist", NEVER),
    (200, {"code": 500, "msg": "404 NOT_FOUND", "success": False}, "server error (500)", "404 NOT_FOUND", AGAIN),
    (200, {"base_resp": {"status_code": 1004, "status_msg": "login fail: invalid api key"}}, "bad key (401)", "login fail", NEVER),
    (200, {"choices": [{"index": 0, "error": {"code": 502, "message": "Provider died"}, "finish_reason": "error", "message": {"content": ""}}]}, "server error (502)", "Provider died", AGAIN),
    (200, {"error": {"message": "boom"}, "choices": []}, "error in the answer", "boom", AGAIN),
    (200, HTML, "web page", "web page: 'Sign in · Wifi'", NEVER),
    (200, SSE, "event stream", "it streams, which was not asked for", NEVER),
    (200, b": keep-alive\n\n" + SSE, "event stream", "it streams", NEVER),
    (200, b"", "empty answer", "", AGAIN),
    (200, b"  \n", "empty answer", "", AGAIN),
    (200, b'{"choices": [', "malformed JSON", "choices", AGAIN),
    (200, b"ok", "malformed JSON", "ok", AGAIN),
    (200, b"[" * 50_000, "malformed JSON", "[[[", AGAIN),
    (200, b"null", "malformed answer", "null", AGAIN),
    (200, [], "malformed answer", "[]", AGAIN),
    (200, {}, "malformed answer", "{}", AGAIN),
    (200, {"choices": []}, "malformed answer", "choices", AGAIN),
    (200, {"choices": None}, "malformed answer", "choices", AGAIN),
    (200, {"choices": [{"index": 0}]}, "malformed answer", "choices", AGAIN),
    (200, {"choices": [{"message": None}]}, "malformed answer", "choices", AGAIN),
    (200, {"content": [{"type": "text", "text": "B"}], "role": "assistant"}, "malformed answer", "content", AGAIN),
    (503, {"detail": {"msg": "Server is busy; please try again later.", "type": "service_unavailable"}}, "server error (503)", "Server is busy; please try aga", AGAIN),
    (400, error("Unknown name \"seed\": Cannot find field."), "refused (400)", "Unknown name \"seed\": Cannot fi", NEVER),
    (400, error("Only n=1 is supported"), "refused (400)", "Only n=1 is supported", NEVER),
    (400, error("logprobs is not supported by this model"), "refused (400)", "logprobs is not supported by t", NEVER),
    (429, error("Rate limit reached for gpt-4o in organization org on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.", code="rate_limit_exceeded"), "rate limit (429)", "Rate limit reached for gpt-4o", PAUSES),
    (429, [{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10\nPlease retry in 22.3s.", "status": "RESOURCE_EXHAUSTED"}}], "quota used up (429)", "You exceeded your current quot", PAUSES),
    (429, [{"error": {"code": 429, "message": "Resource has been exhausted (e.g. check quota).", "status": "RESOURCE_EXHAUSTED"}}], "rate limit (429)", "Resource has been exhausted (e", AGAIN),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}, "quota used up (400)", "Your credit balance is too low", PAUSES),
    (403, error("Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", code=403), "quota used up (403)", "Key limit exceeded (total limi", PAUSES),
    (402, error("This request requires more credits, or fewer max_tokens. You requested up to 4096 tokens, but can only afford 100.", code=402), "quota used up (402)", "This request requires more cre", PAUSES),
    (400, error("Organization has been restricted. Please reach out to support if you believe this was in error.", code="organization_restricted"), "refused (400)", "Organization has been restrict", NEVER),
    (402, {"error": "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits."}, "quota used up (402)", "You have exceeded your monthly", PAUSES),
    (429, {"code": "Some resource has been exhausted", "error": "Your team x has either used all available credits or reached its monthly spending limit."}, "quota used up (429)", "Your team x has either used al", PAUSES),
    (429, error("Billing hard limit has been reached", code="billing_hard_limit_reached"), "quota used up (429)", "Billing hard limit has been re", PAUSES),
    (400, error("Billing hard limit has been reached", type="invalid_request_error", code="billing_hard_limit_reached"), "quota used up (400)", "Billing hard limit has been re", PAUSES),
    (503, error("Service is too busy. We advise users to temporarily switch to alternative LLM API service providers."), "server error (503)", "Service is too busy. We advise", AGAIN),
    (400, error("Access denied, please make sure your account is in good standing. https://help.aliyun.com/", code="Arrearage"), "quota used up (400)", "Access denied, please make sur", PAUSES),
    (503, error("Loading model", code=503, type="unavailable_error"), "loading the model (503)", "Loading model", AGAIN),
    (503, {"error": "Model meta-llama/x is currently loading", "estimated_time": 120.5}, "loading the model (503)", "Model meta-llama/x is currentl", AGAIN),
    (503, {"detail": "Engine is sleeping"}, "server error (503)", "Engine is sleeping", AGAIN),
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, "rate limit (429)", "Model is overloaded", AGAIN),
    (500, {"error": "llama runner process has terminated: signal: killed"}, "server error (500)", "llama runner process has termi", AGAIN),
    (500, {"error": "model requires more system memory (9.1 GiB) than is available (4.2 GiB)"}, "server error (500)", "model requires more system mem", AGAIN),
    (424, {"ErrorCode": "InternalDependencyException", "Message": "Received server error (500) from model"}, "refused (424)", "{\"ErrorCode\": \"InternalDepende", NEVER),
    (522, b'error code: 522', "server error (522)", "error code: 522", AGAIN),
    (524, b'<!DOCTYPE html><html><head><title>host | 524: A timeout occurred</title></head></html>', "server error (524)", "a web page: 'host | 524: A tim", AGAIN),
    (429, b'error code: 1015', "rate limit (429)", "error code: 1015", AGAIN),
    (403, b'<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>', "not allowed (403)", "a web page: 'Just a moment...'", NEVER),
    (400, error("The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", type=None, param="prompt", code="content_filter", status=400, innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}), "filtered (400)", "The response was filtered due", NEVER),
    (400, error("Content Exists Risk", type="invalid_request_error"), "filtered (400)", "Content Exists Risk", NEVER),
    (400, error("Output data may contain inappropriate content.", code="data_inspection_failed"), "filtered (400)", "Output data may contain inappr", NEVER),
    (400, error("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt"), "filtered (400)", "Invalid prompt: your prompt wa", NEVER),
    (403, error("Your chosen model requires moderation and your input was flagged", code=403, metadata={"reasons": ["x"]}), "filtered (403)", "Your chosen model requires mod", NEVER),
    (200, {"promptFeedback": {"blockReason": "SAFETY"}}, "malformed answer", "", AGAIN),
    (200, {"choices": [], "usage": {"prompt_tokens": 3}}, "malformed answer", "", AGAIN),
    (200, {"choices": {"0": {"message": {"content": "B"}}}}, "malformed answer", "", AGAIN),
    (200, {"choices": [None]}, "malformed answer", "", AGAIN),
    (200, {"choices": ["B"]}, "malformed answer", "", AGAIN),
    (200, {"choices": [{"message": "B"}]}, "malformed answer", "", AGAIN),
    (200, b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "\xe9"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}', "malformed JSON", "", AGAIN),
    (204, b'', "empty answer", "", AGAIN),
    (202, {"status": "queued", "id": "x"}, "malformed answer", "", AGAIN),
    (307, b'', "redirect (307)", "", NEVER),
    (401, b'<html><head><title>401 Authorization Required</title></head></html>', "bad key (401)", "a web page: '401 Authorization", NEVER),
    (401, {"statusCode": 401, "message": "Access denied due to invalid subscription key or wrong API endpoint."}, "bad key (401)", "Access denied due to invalid s", NEVER),
    (407, b'', "proxy refuses (407)", "", NEVER),
    (410, error("The model has been deprecated", code="model_decommissioned"), "refused (410)", "The model has been deprecated", NEVER),
    (400, error("The model `x` has been decommissioned and is no longer supported.", code="model_decommissioned"), "refused (400)", "The model `x` has been decommi", NEVER),
    (400, error("m is not a valid model ID", code=400), "refused (400)", "m is not a valid model ID", NEVER),
    (409, error("conflict"), "refused (409)", "conflict", AGAIN),
    (418, b'teapot', "refused (418)", "teapot", NEVER),
    (451, b'', "refused (451)", "", NEVER),
    (499, b'', "refused (499)", "", NEVER),
    (500, {"error": None}, "server error (500)", "{\"error\": null}", AGAIN),
    (500, ["x"], "server error (500)", "x", AGAIN),
    (500, 3, "server error (500)", "3", AGAIN),
    (400, "nope", "refused (400)", "nope", NEVER),
    (400, {"error": 5}, "refused (400)", "{\"error\": 5}", NEVER),
    (400, {"error": ["a", "b"]}, "refused (400)", "a", NEVER),
    (400, {"detail": {"error": {"message": "deep"}}}, "refused (400)", "deep", NEVER),
    (422, {"detail": [{"loc": "body", "msg": 3}, "x", None]}, "refused (422)", "3; x; None", NEVER),
    (200, {"status": "error", "message": "Model not loaded"}, "error in the answer", "", AGAIN),
    (200, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "rate limit (429)", "", AGAIN),
    (200, {"success": False, "errors": [{"code": 7009, "message": "Upstream service unavailable"}], "result": None}, "error in the answer", "", AGAIN),
    (200, True, "malformed answer", "", AGAIN),
    (200, "B", "malformed answer", "", AGAIN),
    (200, {"choices": [{"message": {"content": None}, "finish_reason": "error", "error": {"message": "cut", "code": 502}}]}, "server error (502)", "", AGAIN),
    (200, {"message": {"role": "assistant", "content": "B"}, "done": True}, "malformed answer", "done", AGAIN),
]  # fmt: skip


def ask(wire: Wire, **calling):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    at = wire.endpoint(**calling)
    request = Request("chat/completions", body, "Hello", "test", Place(0, 1, 2))
    return at, lambda: at.ask(request, lambda answer: answer["choices"][0]["message"]["content"])


def test_the_tables_are_long_enough():
    assert len(REPLIES) >= 60 and len(TOO_LONG) >= 30


@pytest.mark.parametrize(("who", "status", "body", "limit", "asked"), TOO_LONG, ids=lambda value: str(value)[:20])
def test_a_prompt_that_does_not_fit_is_known_as_one(who, status, body, limit, asked):
    wire = Wire(lambda path, sent: (status, body))
    at, call = ask(wire)
    with pytest.raises(Overflow) as found:
        call()
    assert (found.value.limit, found.value.asked) == (limit, asked) and len(wire.asked) == 1
    assert at.ledger.calls[0].outcome.startswith("prompt too long")


@pytest.mark.parametrize(("status", "body", "outcome", "says", "then"), REPLIES, ids=lambda value: str(value)[:24])
def test_each_reply_is_named_as_what_it_is(status, body, outcome, says, then):
    headers = {"location": "http://elsewhere/"} if status == 307 else {}
    wire = Wire(lambda path, sent: (status, body, headers))
    at, call = ask(wire)
    with pytest.raises((Refused, RunPaused, Unusable)) as found:
        call()
    assert [call.outcome for call in at.ledger.calls] == [outcome] * (2 if then == AGAIN else 1)
    told = str(found.value) + (found.value.said if isinstance(found.value, Failure) else "")
    assert says in told and KEY not in told
    assert isinstance(found.value, RunPaused) == (then == PAUSES or (then == AGAIN and outcome != "malformed answer"))
    assert at.ledger.halted.is_set() == isinstance(found.value, RunPaused)


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b'\xef\xbb\xbf{"choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}', {}),
        (200, b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "\xe9"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}', {"content-type": "application/json; charset=iso-8859-1"}),
        (200, b'\xff\xfe{\x00"\x00c\x00h\x00o\x00i\x00c\x00e\x00s\x00"\x00:\x00 \x00[\x00{\x00"\x00i\x00n\x00d\x00e\x00x\x00"\x00:\x00 \x000\x00,\x00 \x00"\x00m\x00e\x00s\x00s\x00a\x00g\x00e\x00"\x00:\x00 \x00{\x00"\x00r\x00o\x00l\x00e\x00"\x00:\x00 \x00"\x00a\x00s\x00s\x00i\x00s\x00t\x00a\x00n\x00t\x00"\x00,\x00 \x00"\x00c\x00o\x00n\x00t\x00e\x00n\x00t\x00"\x00:\x00 \x00"\x00B\x00"\x00}\x00,\x00 \x00"\x00f\x00i\x00n\x00i\x00s\x00h\x00_\x00r\x00e\x00a\x00s\x00o\x00n\x00"\x00:\x00 \x00"\x00s\x00t\x00o\x00p\x00"\x00}\x00]\x00,\x00 \x00"\x00u\x00s\x00a\x00g\x00e\x00"\x00:\x00 \x00{\x00"\x00p\x00r\x00o\x00m\x00p\x00t\x00_\x00t\x00o\x00k\x00e\x00n\x00s\x00"\x00:\x00 \x009\x00}\x00}\x00', {}),
        (200, b"\x1f\x8b\x08\x00\xe8R\x0ek\x02\xff=\x8d\xb1\n\xc30\x0cD\x7f%h\xee\xd0\xb5\x1d\xfb\x1b\xa1\x04\xe3\xa8\x8dH#\x19\x9f\n\x05\xe3\x7f\x8f\xbct{\xf7\xee\x90\x1a\xe5\xcd$3\xe8>\xcd\x8dDW\xfe\x05^/\x13\x1d\x0c\xa47GjT\xed3\x80\x12 \xf0\xa4N1\xc8\xa6\xce\x81\xe1\x1f\xd4C\xbcD\x05\xdbR9\xc1th\xb8\x15\xea\xcf\xa8\xbe\xffS\xa5\xdaQ|q\xdbY\xc7\xd7[\xef'\xed\xe9\xd7^\x85\x00\x00\x00", {"content-encoding": "gzip"}),
        (200, b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}', {"content-type": "text/plain"}),
        (200, b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}', {"content-type": "text/html"}),
        (200, b'{"choices":[{"message":{"content":"B"},"x":NaN}]}', {}),
        (200, b'{"choices":[],"choices":[{"message":{"content":"B"}}]}', {}),
        (200, b'{"choices":[{"message":{"content":"B\\ud800"}}]}', {}),
        (200, b'{"choices":[{"message":{"content":"B\\u0000"}}]}', {}),
        (200, b'   \n\n{"choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}\n', {}),
        (201, {"choices": [{"index": 0, "message": {"role": "assistant", "content": "B"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}}, {}),
    ],
)  # fmt: skip
def test_answers_in_whatever_form_they_are_sent(status, body, headers):
    at, call = ask(Wire(lambda path, sent: (status, body, headers)))
    assert call().strip("\x00\ud800") in ("B", "é") and at.ledger.calls[0].outcome == "ok"


@pytest.mark.parametrize(
    "said",
    [
        "Rate limit reached on tokens per min (TPM): Limit 10000, Used 9800, Requested 500. Please try again in 1.8s.",
        "body.seed: Extra inputs are not permitted",
        "temperature is deprecated for this model",
        "System role not supported",
        "max_tokens is too large: 5000. This model supports at most 4096 completion tokens, whereas you provided 5000.",
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "Invalid 'top_logprobs': must be between 0 and 5",
        "You exceeded your current quota",
        "no such model",
        "request failed",
        "Unknown error while processing request",
        "response_format is not supported",
        "Conversation roles must alternate user/assistant/user/assistant/...",
    ],
)
def test_what_is_no_overflow(said):
    assert too_long(said, 400, "", {}) is None


@pytest.mark.parametrize("at", range(KEPT - len(KEY) - 40, KEPT + 5, 7))
def test_a_key_is_hidden_before_an_error_is_cut(at):
    wire = Wire(lambda path, sent: (500, error("x" * at + KEY + "y" * 500)))
    end, call = ask(wire, attempts=1)
    with pytest.raises(RunPaused) as found:
        call()
    kept = json.dumps([call.answer for call in end.ledger.calls]) + str(found.value)
    assert not any(KEY[:length] in kept for length in range(8, len(KEY)))
    assert all(len(call.answer) <= KEPT for call in end.ledger.calls)


def test_a_key_is_hidden_in_the_forms_of_json_addresses_and_pages():
    secret = 'sk-"q&a"-0123456789'
    at = server("openai/m", {"OPENAI_API_KEY": secret}, "http://host/v1")
    for shown in (secret, json.dumps(secret), "sk-%22q%26a%22-0123456789", "sk-&quot;q&amp;a&quot;-0123456789"):
        assert "0123456789" not in at.hide(f"you said {shown}!")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://host", "is it base_url=http://host/v1?"),
        ("http://host/api/serving", ""),
        ("http://host/v1", ""),
        ("http://host/openai/deployments/m", ""),
    ],
)
def test_a_missing_version_in_the_address_is_suggested(url, says):
    wire = Wire(lambda path, sent: (404, b"404 page not found"))
    at = wire.endpoint(base_url=url)
    with pytest.raises(Refused) as found:
        at.ask(Request("chat/completions", {}, "", "test", Place()), lambda answer: answer)
    assert ("is it base_url=" in str(found.value)) == bool(says) and says in str(found.value)


PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("https://host/v1", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://host/v1", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ("https://host/v1", {"ALL_PROXY": PROXY}, PROXY),
        ("https://host/v1", {"HTTP_PROXY": PROXY}, ""),
        ("http://host/v1", {"HTTP_PROXY": "proxy:3128"}, PROXY),
        ("http://host/v1", {"HTTP_PROXY": ""}, ""),
        ("https://host/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "host"}, ""),
        ("https://a.host/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "other, .host"}, ""),
        ("https://a.host/v1", {"HTTPS_PROXY": PROXY, "no_proxy": "*.host"}, ""),
        ("https://ahost/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "host"}, PROXY),
        ("https://host/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, ""),
        ("https://host:8443/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "host:8443"}, ""),
        ("https://host/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "host:8443"}, PROXY),
        ("http://10.1.2.3/v1", {"ALL_PROXY": PROXY, "NO_PROXY": "10.0.0.0/8"}, ""),
        ("http://10.1.2.3/v1", {"ALL_PROXY": PROXY, "NO_PROXY": "10.1.2.3"}, ""),
        ("http://[fd00::1]/v1", {"ALL_PROXY": PROXY, "NO_PROXY": "fd00::/8"}, ""),
        # To this machine there is no proxy, whatever the variables say.
        ("http://localhost:8000/v1", {"ALL_PROXY": PROXY}, ""),
        ("http://127.0.0.1:8000/v1", {"HTTP_PROXY": PROXY}, ""),
        ("http://127.1.2.3/v1", {"HTTP_PROXY": "socks://nonsense"}, ""),
        ("http://[::1]:8000/v1", {"ALL_PROXY": "socks5://127.0.0.1:9"}, ""),
        ("http://[::ffff:127.0.0.1]/v1", {"ALL_PROXY": PROXY}, ""),
        ("http://0.0.0.0:8000/v1", {"ALL_PROXY": PROXY}, ""),
        ("http://a.localhost/v1", {"ALL_PROXY": PROXY}, ""),
    ],
)
def test_which_proxy_is_taken(url, variables, proxy):
    assert proxy_for(url, variables) == proxy


@pytest.mark.parametrize(
    "value",
    ["socks://proxy:9", "proxy:port", "http://", "http://[bad", "ftp://proxy", "http://a b", "http://proxy:99999"],
)
def test_a_malformed_proxy_is_said_in_one_sentence_without_its_password(value):
    named = value.replace("://", "://me:hunter2@") if "://" in value else f"me:hunter2@{value}"
    for given in (value, named):
        with pytest.raises(BadInput, match="HTTPS_PROXY=") as found:
            proxy_for("https://host/v1", {"HTTPS_PROXY": given})
        assert "hunter2" not in str(found.value)


def test_a_socks_proxy_says_what_it_needs(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install socksio"):
        proxy_for("https://host/v1", {"ALL_PROXY": "socks5://127.0.0.1:9"})


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there(tmp_path, name):
    missing = {name: str(tmp_path / "none.pem")}
    connections("http://host/v1", 1, missing)  # there is nothing to verify
    if name == "SSL_CERT_FILE":
        with pytest.raises(BadInput, match=r"SSL_CERT_FILE=.*none\.pem"):
            connections("https://host/v1", 1, missing)
        (tmp_path / "none.pem").write_text("no certificate")
        with pytest.raises(BadInput, match="certificates cannot be read"):
            connections("https://host/v1", 1, missing)
    assert connections("https://host/v1", 1, {})["trust_env"] is False


@pytest.mark.parametrize(
    "raw", ["A=b\n".encode("utf-16"), "# clé\n".encode("latin-1"), b"\xff\xfe\x00", "A=é\n".encode("cp1252")]
)
def test_variables_that_are_not_utf8(tmp_path, raw):
    (tmp_path / ".env").write_bytes(raw)
    with pytest.raises(BadInput, match=r"\.env' cannot be read as UTF-8") as found:
        environment(tmp_path / ".env")
    assert "\n" not in str(found.value)


def test_variables_with_a_byte_order_mark_are_read(tmp_path):
    (tmp_path / ".env").write_bytes("VLLM_API_KEY=clé\n".encode("utf-8-sig"))
    assert environment(tmp_path / ".env")["VLLM_API_KEY"] == "clé"
    (tmp_path / "folder").mkdir()
    assert environment(tmp_path / "folder")


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http://host:port/v1",
        "http://host:0/v1",
        "http://[::1/v1",
        "http://ho st/v1",
        "http://host\x00/v1",
        "http://host/v1/chat/completions",
    ],
)
def test_addresses_that_are_none(url):
    with pytest.raises(BadInput, match="OPENAI_BASE_URL="):
        server("openai/m", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url})


def test_a_run_waits_as_long_as_the_sentence_says():
    wire = Wire(lambda path, sent: (429, error("Rate limit reached. Please try again in 5m10s.")))
    _, call = ask(wire)
    with pytest.raises(RunPaused, match="wait 310 s: Rate limit reached"):
        call()


def test_errors_of_a_server_wait_and_do_not_spoil_decisions():
    """An error in a 200 counts as what its code says: it is tried again, and then answered."""
    left = [error("busy", code=429), error("busy", code=503)]
    wire = Wire(lambda path, sent: left.pop() if left else chat("B"))
    at, call = ask(wire, attempts=5)
    assert call() == "B"
    assert [call.outcome for call in at.ledger.calls] == ["server error (503)", "rate limit (429)", "ok"]


def test_no_sentence_has_a_line_break_or_a_control_character():
    wire = Wire(lambda path, sent: (400, error("a\nb\x1b[31mc" * 100)))
    _, call = ask(wire)
    with pytest.raises(Refused) as found:
        call()
    assert not re.search(r"[\x00-\x1f]", str(found.value))
