"""60,000 words with the frequencies of a language, for the corpus of the search benchmark.

The most frequent ones are real English words. The others are made of English syllables and endings,
in families such as `brandor`, `brandors`, `brandored`, so that stems, prefixes and typos mean as
much as they do in English.
"""

from __future__ import annotations

import random
from itertools import accumulate
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD_COUNT: Final = 60_000

# Zipf's law as Mandelbrot has it: a word's frequency is 1 / (rank + SHIFT) ** EXPONENT. With these,
# the first word is each twentieth, and a third of all words are in 20 of 10,000 documents or fewer.
SHIFT: Final = 2.7
EXPONENT: Final = 1.15

FUNCTION_TEXT = """
    the of and to a in is that for it as with on by this be are from or which when not an at has
    can will must each one all no more other than into only its their there if then what was but
    we you so may should any some these they have had does do been being would could about after
    before
    """

CORE_TEXT = """
    user system data service team project document source request response error value test time
    page state list field name type role event message code file path key token session account
    order payment story epic gate review status result change version release deploy server client
    table column index query schema migration row record database connection pool cache queue
    worker task job schedule retry timeout limit rate batch stream topic group member owner admin
    access permission policy rule check validate verify approve reject accept require allow deny
    block open close start stop run build create read update delete write send receive return load
    save store fetch sync merge split sort filter search match rank score count total cursor
    offset link anchor heading section paragraph title label button form input screen view layout
    menu dialog modal panel card badge icon color theme dark light mobile desktop browser device
    network header cookie origin domain proxy certificate secret password login logout register
    profile avatar email phone address country currency amount price invoice refund charge balance
    transfer bank customer vendor product catalog item cart checkout shipping delivery warehouse
    stock supplier report chart metric dashboard alert monitor trace span log audit history
    archive backup restore export import upload download attachment image video audio preview
    thumbnail format encode decode parse render compile install configure setting option default
    feature flag experiment variant segment cohort funnel campaign channel notification
    subscription plan trial upgrade downgrade cancel renew expire reminder calendar meeting
    appointment booking slot availability location region zone cluster node container pipeline
    stage artifact registry environment staging production development branch commit tag
    repository pull push conflict resolve rollback hotfix incident outage severity priority
    backlog sprint iteration estimate velocity capacity roadmap milestone deadline scope
    requirement criteria acceptance scenario given persona journey interview survey feedback
    insight hypothesis assumption risk constraint dependency decision alternative consequence
    context goal objective measure outcome benefit cost budget revenue market competitor strategy
    vision mission principle guideline standard convention pattern architecture component module
    package library framework interface contract endpoint route handler controller middleware
    adapter gateway entity aggregate command projection snapshot replica shard partition lock
    lease fence transaction isolation consistency durability latency throughput bandwidth memory
    storage disk thread process signal exception stack heap pointer buffer socket packet protocol
    handshake encryption signature hash checksum salt nonce identity tenant workspace organization
    department employee manager candidate salary patient doctor clinic symptom diagnosis treatment
    prescription insurance claim premium student teacher course lesson exam grade enrollment book
    author chapter vehicle driver trip station fuel battery sensor reading threshold temperature
    pressure garden harvest recipe kitchen restaurant guest hotel room reservation ticket
    passenger
    """

FUNCTION_WORDS: Final = tuple(FUNCTION_TEXT.split())
CORE_WORDS: Final = tuple(CORE_TEXT.split())

# Of invented words.
ONSETS = """
    b br c ch cl cr d dr f fl fr g gl gr h j k l m n p ph pl pr qu r s sc sh sl sp st str t th tr v
    w
    """
NUCLEI = "a a a e e e e i i i o o o u u ai ea ee io oa ou"
CODAS = "b ck ct d f g l ld ll m n nd ng nt p r rd rk rm s sk ss st t tch x"
ENDINGS = "s ed ing er ers ation able ment ly ive ity al ness ful ize ized"

# The share of a word with an ending in the frequency of its stem.
ENDING_RANK: Final = 1.7


class Vocabulary:
    """Words, the most frequent first, and their cumulative weights for `random.choices`."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        weights = ((rank + 1 + SHIFT) ** -EXPONENT for rank in range(len(words)))
        self.cumulative = list(accumulate(weights))

    def draw(self, source: random.Random, count: int) -> list[str]:
        """Return so many words at random, by their frequency."""
        return source.choices(self.words, cum_weights=self.cumulative, k=count)


def english(seed: str) -> Vocabulary:
    """Return WORD_COUNT words."""
    source = random.Random(f"{seed} vocabulary")
    words: dict[str, None] = dict.fromkeys([*FUNCTION_WORDS, *CORE_WORDS])
    families = [_family(source, word) for word in CORE_WORDS]
    while sum(map(len, families)) < WORD_COUNT:
        families.append(_family(source, invent_stem(source, source.choice((2, 2, 3)))))
    ranked = [
        (number * ENDING_RANK**place * source.uniform(0.7, 1.4), word)
        for number, family in enumerate(families)
        for place, word in enumerate(family)
    ]
    words.update(dict.fromkeys(word for _, word in sorted(ranked)))
    return Vocabulary(list(words)[:WORD_COUNT])


def invent_stem(source: random.Random, syllables: int) -> str:
    """Return a word that English might have."""
    onsets, nuclei = ONSETS.split(), NUCLEI.split()
    parts = [source.choice(onsets) + source.choice(nuclei) for _ in range(syllables)]
    return "".join(parts) + source.choice(CODAS.split())


def _family(source: random.Random, stem: str) -> list[str]:
    endings = source.sample(ENDINGS.split(), source.randint(2, 6))
    return [stem, *(f"{stem.removesuffix('e')}{ending}" for ending in endings)]


FRENCH_TEXT = """
    de la le les et des en un une du que pour dans est qui sur par pas au avec ce se sont plus son
    cette ou être fait comme mais nous chaque leur tout sans après avant même très aussi où déjà
    été utilisateur système données équipe projet document requête réponse erreur valeur essai
    délai état liste champ nom rôle événement message fichier clé jeton compte commande paiement
    récit épopée revue résultat modification version déploiement serveur client table colonne
    requêtes schéma ligne base connexion cache file tâche travail planification limite débit
    groupe membre propriétaire accès autorisation règle vérification créer lire écrire supprimer
    envoyer recevoir charger enregistrer rechercher trier filtrer critère section titre étiquette
    bouton formulaire écran menu fenêtre réseau navigateur cookie domaine certificat secret
    connexion profil courriel téléphone adresse pays devise montant prix facture remboursement
    solde virement banque produit catalogue article panier livraison entrepôt fournisseur rapport
    tableau métrique alerte journal historique sauvegarde restauration aperçu paramètre
    fonctionnalité abonnement réunion créneau région environnement développement conflit incident
    priorité échéance exigence scénario besoin hypothèse risque contrainte dépendance décision
    conséquence objectif mesure coût budget stratégie architecture composant interface contrat
    transaction cohérence mémoire exécution récupération élève médecin véhicule cuisine
    réservation qualité sécurité génération intégration numérisation
    """

CHINESE_TEXT = """
    的 和 在 是 了 与 或 不 需要 可以 必须 使用 用户 系统 数据 服务 团队 项目 文档 请求 响应 错误
    测试 时间 页面 状态 列表 字段 名称 类型 角色 事件 消息 代码 文件 路径 令牌 会话 账户 订单 支付
    故事 史诗 评审 结果 变更 版本 发布 部署 服务器 客户端 表格 查询 迁移 记录 数据库 连接 缓存
    队列 任务 重试 超时 限制 批量 成员 管理员 访问 权限 策略 规则 检查 验证 批准 拒绝 创建 读取
    更新 删除 写入 发送 接收 返回 加载 保存 同步 合并 排序 过滤 搜索 匹配 评分 总数 链接 标题 章节
    标签 按钮 表单 输入 界面 布局 菜单 浏览器 设备 网络 域名 代理 证书 密码 登录 注册 邮箱 电话
    地址 国家 货币 金额 价格 发票 退款 余额 银行 商品 目录 购物车 配送 仓库 库存 供应商 报告 图表
    指标 监控 日志 审计 历史 备份 恢复 导出 导入 上传 下载 图片 预览 格式 解析 配置 功能 实验 通知
    订阅 计划 升级 取消 提醒 会议 区域 集群 节点 容器 环境 分支 提交 仓储 冲突 事故 优先级 待办
    冲刺 估算 容量 里程碑 需求 标准 场景 反馈 假设 风险 约束 依赖 决策 目标 成本 架构 组件 模块
    接口 事务 一致性 延迟 吞吐量 内存 存储 线程 进程 异常 协议 加密 签名 租户 组织 课程 车辆
    """

FRENCH: Final = Vocabulary(FRENCH_TEXT.split())
CHINESE: Final = Vocabulary(CHINESE_TEXT.split())
