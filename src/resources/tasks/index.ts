export { taskRoutes } from './routes.ts'
export { TaskResponse, type TaskType } from './schemas.ts'
export { type CancelTask, TaskService } from './service.ts'
export { advanceTasks, insertTask, type NewTask, type TaskChange, type TaskRow, updateTask } from './store.ts'
