// What a portal link shows: the parts of the portal, and how they look.
import { useQuery } from '@tanstack/react-query'
import { api, take, type Schemas } from './client'
import { isPortal } from './credential'

export type PortalSection = Schemas['PortalSection']
export type Branding = Schemas['PortalBranding']

export const usePortal = () =>
  useQuery({ queryKey: ['portal'], queryFn: () => take(api.GET('/api/v1/portal')), staleTime: Infinity, enabled: isPortal })
