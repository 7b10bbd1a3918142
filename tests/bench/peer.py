"""The peer: the stack and the health route that story 1.3 describes, in one file.

FastAPI, Pydantic Settings, SQLAlchemy's async engine on asyncpg with its session as a dependency,
and CORS. The story sets `echo=True`; the benchmark also measures the peer with PEER_ECHO=false.

Lists and documents use ORM models of the same tables and Pydantic models of the responses. The
story's services and repositories only pass calls on and are left out.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings
from sqlalchemy import ForeignKey, select, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


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


class Base(DeclarativeBase):
    type_annotation_map = {datetime: TIMESTAMP(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012


class Project(Base):
    __tablename__ = "project"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    project_docs: Mapped[list["ProjectDoc"]] = relationship(back_populates="project")


class ProjectDoc(Base):
    __tablename__ = "project_doc"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    name: Mapped[str]
    project: Mapped[Project] = relationship(back_populates="project_docs")
    documents: Mapped[list["Document"]] = relationship(back_populates="project_doc")


class Document(Base):
    __tablename__ = "document"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_doc_id: Mapped[UUID] = mapped_column(ForeignKey("project_doc.id"))
    file_path: Mapped[str]
    file_type: Mapped[str]
    file_size: Mapped[int]
    content: Mapped[str]
    doc_metadata: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    project_doc: Mapped[ProjectDoc] = relationship(back_populates="documents")


class ProjectResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime


class DocumentResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    project_doc_id: UUID
    file_path: str
    file_type: str
    file_size: int
    content: str
    doc_metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


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


@router.get("/projects", response_model=list[ProjectResponse])
async def list_projects(db: AsyncSession = Depends(get_db)) -> Any:  # noqa: B008
    result = await db.execute(
        select(Project).order_by(Project.created_at.desc(), Project.id.desc())
    )
    return result.scalars().all()


@router.get("/documents/{document_id}", response_model=DocumentResponse)
async def get_document(document_id: UUID, db: AsyncSession = Depends(get_db)) -> Any:  # noqa: B008
    document = await db.get(Document, document_id)
    if document is None:
        raise HTTPException(status_code=404, detail="Document not found")
    return document


app = FastAPI(title="BMADFlow API", version="0.1.0")
app.add_middleware(
    CORSMiddleware,
    allow_origins=settings.cors_origins.split(","),
    allow_credentials=True,
    allow_methods=["*"],
    allow_headers=["*"],
)
app.include_router(router, prefix="/api", tags=["health"])
