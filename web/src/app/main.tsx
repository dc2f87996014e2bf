import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { useSearch } from 'wouter/use-browser-location'
import { place, tenantOfLink } from '@/api/credential'
import { ApiError } from '@/api/error'
import '@/ui/tokens.css'
import '@/ui/shell.css'
import '@/ui/control.css'
import '@/ui/content.css'
import '@/ui/above.css'
import '@/ui/inbox.css'
import '@/ui/narrow.css'
import '@/ui/part.css'
import { App } from './App'
import { applyTheme } from './theme'

applyTheme()

// What names the tenant of a portal is no filter of a page.
function useSearchWithoutTenant() {
  const search = useSearch()
  if (!tenantOfLink) return search
  const rest = new URLSearchParams(search)
  rest.delete('tenant')
  return rest.toString()
}

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2000,
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status > 0 && error.status < 500),
    },
  },
})

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Router base={`/${place}`} searchHook={useSearchWithoutTenant}>
        <App />
      </Router>
    </QueryClientProvider>
  </StrictMode>,
)
