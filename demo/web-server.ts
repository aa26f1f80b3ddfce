/** A small MCP server over HTTP on the official SDK: a page converter that fetches nothing, and a sum. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { pageOf } from './stories.ts'

export async function openWebServer(): Promise<AsyncDisposable & { url: string }> {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'web-tools', version: '1.4.0' })
    server.registerTool(
      'add',
      { description: 'Adds two numbers.', inputSchema: z.object({ a: z.number(), b: z.number() }) },
      ({ a, b }) => ({
        content: [{ type: 'text', text: String(a + b) }],
      }),
    )
    server.registerTool(
      'convert_to_markdown',
      { description: 'Fetches a page and gives it as Markdown.', inputSchema: z.object({ uri: z.string() }) },
      ({ uri }) => ({ content: [{ type: 'text', text: pageOf(uri) }] }),
    )
    return server
  })
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const headers = new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
    const method = incoming.method ?? 'GET'
    const body = method === 'GET' || method === 'HEAD' ? {} : { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' as const }
    const response = await handler.fetch(new Request(`http://localhost${incoming.url}`, { method, headers, ...body }))
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    if (response.body) for await (const part of response.body) outgoing.write(part)
    outgoing.end()
  }
  const server = createServer((incoming, outgoing) => void answer(incoming, outgoing).catch(() => outgoing.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
