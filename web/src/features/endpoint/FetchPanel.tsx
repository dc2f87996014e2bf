import type { Endpoint } from '@/api/client'
import { fetchSnippets } from '@/lib/snippets'
import { Snippets } from '@/ui/Code'
import { Section } from '@/ui/Page'

// How the messages of an endpoint are fetched that nothing is sent to.
export function FetchPanel({ app, endpoint }: { app: string; endpoint: Endpoint }) {
  return (
    <Section title="Fetch its messages">
      <p>
        Nothing is sent to this endpoint. Whoever wants its messages asks for them, with a token for this application, and goes on with the{' '}
        <code>iterator</code> of each answer.
      </p>
      <Snippets label="Fetch messages" snippets={fetchSnippets(location.origin, app, endpoint.uid ?? endpoint.id)} />
      <p className="quiet">
        With <code>/consumer/NAME</code> behind the address the server remembers how far that consumer has come.
      </p>
    </Section>
  )
}
