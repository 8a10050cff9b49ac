"""The Python client of MCP against a gateway: over stdio and over HTTP. `cargo xtask conformance` runs it.

Arguments: the agent's URL, then the command of the stdio shim. The agent's token is in SOULBOUND_TOKEN.
"""

import asyncio
import os
import sys

import httpx2
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


async def check(session: ClientSession) -> None:
    opened = await session.initialize()
    assert "Referee" in opened.instructions, opened
    tools = (await session.list_tools()).tools
    assert all(tool.input_schema["type"] == "object" and tool.annotations for tool in tools), tools
    result = await session.call_tool("conformance__test-simple-text", {})
    assert result.structured_content == {"result": result.content[0].text}, result
    assert result.content[0].text.startswith("This is a simple text"), result
    failed = await session.call_tool("conformance__test-error-handling", {})
    assert failed.is_error and "intentionally" in failed.content[0].text, failed
    seen = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total))

    await session.call_tool("conformance__test-tool-with-progress", {}, progress_callback=progress)
    assert seen == [(0, 100), (50, 100), (100, 100)], seen
    read = await session.read_resource("skill://conformance/SKILL.md")
    assert read.contents[0].text.startswith("---\nname: conformance"), read


async def main() -> None:
    url, program, *arguments = sys.argv[1:]
    shim = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    async with stdio_client(shim) as (reading, writing), ClientSession(reading, writing) as session:
        await check(session)
    headers = {"Authorization": f"Bearer {os.environ['SOULBOUND_TOKEN']}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await check(session)


asyncio.run(main())
