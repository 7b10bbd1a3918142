"""The peer: the stack and the health route that story 1.3 describes, in one file.

FastAPI, Pydantic Settings, SQLAlchemy's async engine on asyncpg with its session as a dependency,
and CORS. `echo=True` stands in the story, too; the benchmark turns it off with PEER_ECHO=false to
see what it costs.
"""

from collections.abc import AsyncGenerator
from datetime import datetime

from fastapi import APIRouter, Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from pydantic_settings import BaseSettings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


class Settings(BaseSettings):
    database_url: str
    cors_origins: str = "http://localhost:3000"
    peer_echo: bool = True


settings = Settings()
engine = create_async_engine(settings.database_url, echo=settings.peer_echo)
AsyncSessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_db() -> AsyncGenerator[AsyncSession]:
    async with AsyncSessionLocal() as session:
        yield session


router = APIRouter()


@router.get("/health")
async def health_check(db: AsyncSession = Depends(get_db)) -> dict[str, str]:  # noqa: B008
    try:
        await db.execute(text("SELECT 1"))
        db_status = "connected"
    except Exception as e:  # noqa: BLE001
        db_status = f"error: {e}"
    return {
        "status": "ok",
        "database": db_status,
        "timestamp": datetime.utcnow().isoformat(),
    }


app = FastAPI(title="BMADFlow API", version="0.1.0")
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origins.split(","),
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
app.include_router(router, prefix="/api", tags=["health"])
