import { useQuery } from '@tanstack/react-query'
import { api, take, type Schemas } from '@/api/client'

export type Tenant = Schemas['TenantAdminOut']

export const usePlans = () => useQuery({ queryKey: ['plan'], queryFn: () => take(api.GET('/admin/v1/plan')), staleTime: 60_000 })

export const useTenantOf = (id: string) =>
  useQuery({
    queryKey: ['tenant', id],
    queryFn: () => take(api.GET('/admin/v1/tenant/{tenant_id}', { params: { path: { tenant_id: id } } })),
  })

export const useUsageOf = (id: string) =>
  useQuery({
    queryKey: ['tenant', id, 'usage'],
    queryFn: () => take(api.GET('/admin/v1/tenant/{tenant_id}/usage', { params: { path: { tenant_id: id } } })),
    refetchInterval: 10_000,
  })
