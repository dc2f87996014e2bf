// What the person may do, so that pages show no more than that. The server decides all the same.
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { api, take } from './client'
import { isPortal } from './credential'
import { usePortal, type PortalSection } from './portal'

const useWhoami = () => useQuery({ queryKey: ['whoami'], queryFn: () => take(api.GET('/api/v1/auth/whoami')), staleTime: Infinity })

interface Access {
  tenant: string // the environment that is shown; empty: not known yet
  application: string | null // the only one there is
  mayChange: boolean
  isReadOnly: boolean // known to be no more than that
  isTenant: boolean // sees what is the tenant's business: applications, tasks, counts, settings
  mayOwn: boolean // may change that
  shows: (section: PortalSection) => boolean // all, but for a portal link that was made for less
}

export function useAccess(): Access {
  const { data } = useWhoami()
  const sections = usePortal().data?.sections
  const mayChange = data !== undefined && !data.readOnly
  return {
    tenant: data?.envId ?? '',
    application: data?.appId ?? null,
    mayChange,
    isReadOnly: data?.readOnly === true,
    isTenant: !isPortal,
    mayOwn: mayChange && !isPortal,
    shows: section => !isPortal || sections?.includes(section) === true,
  }
}

// Nothing is shown before it is known.
export function AccessGate({
  children,
  loading,
  failed,
}: {
  children: ReactNode
  loading: ReactNode
  failed: (error: Error, retry: () => void) => ReactNode
}) {
  const whoami = useWhoami()
  const portal = usePortal()
  if (whoami.data && (!isPortal || portal.data)) return children
  const lost = whoami.error ? whoami : portal
  return lost.error ? failed(lost.error, () => void lost.refetch()) : loading
}

// Fields inside can be read, and changed by those who may.
export function ChangeOnly({ children }: { children: ReactNode }) {
  return (
    <fieldset disabled={!useAccess().mayChange} className="change-only">
      {children}
    </fieldset>
  )
}
